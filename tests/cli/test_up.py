"""What `phalanx up` refuses before it starts anything."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from phalanx_cli.main import main


@pytest.mark.parametrize("claim", ["models", "models=", "=.", "models=/nonexistent"])
def test_a_claim_is_a_name_and_a_folder_that_exists(tmp_path, claim: str):
    (files := tmp_path / "all.yaml").touch()
    done = CliRunner().invoke(main, ["up", str(files), "--state-dir", str(tmp_path / "state"), "--claim", claim])
    assert done.exit_code == 2
    assert f"{claim!r} is not NAME=DIR with a folder that exists" in done.output
