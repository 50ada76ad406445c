"""The scenario on the page about scenarios of one's own, as a user would have it."""

import re
from pathlib import Path

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Device, Environment, Status, Verdict
from ckptmatrix.plan.config import read_config
from ckptmatrix.util.home import Home
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

PAGE = (ROOT / "docs" / "own-scenario.md").read_text(encoding="utf-8")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A project of the user's own, with the page's two files."""
    (tmp_path / "my_training.py").write_text(block("python"), encoding="utf-8")
    declared = (ROOT / "matrix.toml").read_text(encoding="utf-8")
    entry = re.search(r"^\S+ = .*$", block("toml"), re.MULTILINE)
    assert entry
    (tmp_path / "matrix.toml").write_text(
        declared.replace("[scenarios]\n", f"[scenarios]\n{entry[0]}\n"), encoding="utf-8"
    )
    return Lab(Site(read_config(tmp_path / "matrix.toml"), Home.of(ROOT), Device.CPU))


def block(language: str) -> str:
    """The first block of the page in this language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"the page shows no {language}"
    return found[1]


def test_the_page_shows_one_in_thirty_lines() -> None:
    lines = [line for line in block("python").splitlines() if line and not line.startswith("#")]
    assert len(lines) <= 30


def test_it_is_measured_like_those_that_ship(lab: Lab) -> None:
    with lab:
        record = lab.measured(Cell(NEWEST, NEWEST, "my-training"))
        assert record.status == Status.EXACT
        assert record.components["scheduler"] == Verdict.RESTORED
        assert record.components["step"] == Verdict.RESTORED
        assert record.components["custom"] == Verdict.ABSENT
        assert record.resume is not None
        assert record.resume.steps == 4

        old = Environment("0.31.0", "torch2.4-np1")
        record = lab.measured(Cell(NEWEST, old, "my-training"))
        assert record.status == Status.DEGRADED
        assert record.components["step"] == Verdict.LOST


LOADERS = """
def native(accelerator, directory):
    accelerator.load_state(directory)

def nothing(accelerator, directory):
    pass

def weights_alone(accelerator, directory):
    accelerator.load_state(directory)
    for optimizer in accelerator._optimizers:
        optimizer.optimizer.state.clear()
"""


def test_loaders_in_one_module_have_outcomes_of_their_own(tmp_path: Path) -> None:
    names = ("native", "nothing", "weights_alone")
    (tmp_path / "my_loaders.py").write_text(LOADERS, encoding="utf-8")
    entries = "".join(f'{name} = "my_loaders:{name}"\n' for name in names)
    declared = (ROOT / "matrix.toml").read_text(encoding="utf-8")
    (tmp_path / "matrix.toml").write_text(
        declared.replace("[loaders]\n", f"[loaders]\n{entries}"), encoding="utf-8"
    )
    config = read_config(tmp_path / "matrix.toml")
    with Lab(Site(config, Home.of(ROOT), Device.CPU)) as lab:
        cells = [Cell(NEWEST, NEWEST, "basic", name) for name in names]
        lab.forget(cells)
        native, nothing, weights = map(lab.outcome, cells)
        assert [lab.known(cell) for cell in cells] == [native, nothing, weights]
    assert (native.loader, native.status) == ("native", Status.EXACT)
    assert (nothing.loader, nothing.status) == ("nothing", Status.DEGRADED)
    assert nothing.components["model"] == Verdict.LOST
    assert (weights.loader, weights.status) == ("weights_alone", Status.DEGRADED)
    assert weights.components["model"] == Verdict.RESTORED
    assert weights.components["optimizer"] == Verdict.WRONG
