"""`python -m phalanx_cli` is `phalanx`."""

from phalanx_cli.main import main

main(prog_name="phalanx")
