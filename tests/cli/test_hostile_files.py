"""Files that users hand over, hostile or malformed: the project's own error names them, whatever
they hold, within bounded memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ckptmatrix.errors import UsageError
from ckptmatrix.knowledge.expectations import read_expectations
from tests.cli.hostile_files import CONFIGS
from tests.support.places import ROOT


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[object, str]]:
    """File and command -> exit code, and what was printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.hostile_files", tmp_path_factory.mktemp("given")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout))


def test_each_is_refused_by_name(answers: dict[str, tuple[object, str]]) -> None:
    assert len(answers) > 150
    for asked, (code, said) in answers.items():
        assert "Traceback" not in said, (asked, said)
        assert "went wrong" not in said, (asked, said)
        assert code in ((2, 4) if "upgrade" in asked else (2,)), (asked, code, said)
        assert said.startswith("error: "), (asked, said)
        assert "given." in said, (asked, said)
        assert not set(said) & {"\x1b", "\x07"}, asked
        assert len(said) < 2000, asked


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "empty"])
def test_expectations(tmp_path: Path, name: str) -> None:
    path = tmp_path / "expectations.toml"
    path.write_bytes(CONFIGS[name])
    with pytest.raises(UsageError, match=r"expectations\.toml"):
        read_expectations(path)
