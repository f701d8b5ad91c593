"""`python -m bench.serving DIR`: a run of a minute that writes its figures and pictures to a folder, to see that
everything works. `python -m bench serving` is the real one.
"""

import sys
from pathlib import Path

from bench.serving.measure import measure
from bench.serving.results import save
from bench.serving.scale import SHORT

if __name__ == "__main__":
    print(save(measure(SHORT), folder=Path(sys.argv[1])))
