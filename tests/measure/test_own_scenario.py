"""The code on the page about scenarios of one's own, as a user would have it."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Environment, Status, Verdict
from ckptmatrix.plan.config import read_config
from ckptmatrix.util.home import Home
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

PAGE = (ROOT / "docs" / "own-scenario.md").read_text(encoding="utf-8")
MORE = """
second = "grid:second_save"
a-class = "my_scenario:MyTraining"
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A project of the user's own, with the page's files and this project's stacks."""
    folder = tmp_path_factory.mktemp("page")
    for text in blocks("python"):
        named = re.match(r"# (\w+\.py)\n", text)
        assert named, "each block names its file"
        (folder / named[1]).write_text(text, encoding="utf-8")
    declared = (ROOT / "matrix.toml").read_text(encoding="utf-8")
    stacks = declared.partition("[tiers.")[0]
    scenarios, loaders = blocks("toml")
    (folder / "matrix.toml").write_text(stacks + scenarios + MORE + loaders, encoding="utf-8")
    with Lab(Site(read_config(folder / "matrix.toml"), Home.of(ROOT))) as lab:
        yield lab


def blocks(language: str) -> list[str]:
    """The blocks of the page in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_block_is_what_it_says() -> None:
    for text in blocks("python"):
        compile(text, "page", "exec")
    assert [list(tomllib.loads(text)) for text in blocks("toml")] == [
        ["scenarios"],
        ["loaders", "tiers"],
    ]


def test_the_pages_tier_is_the_default(lab: Lab) -> None:
    assert lab.site.config.default_tier() == "mine"


@pytest.mark.parametrize(("scenario", "steps"), [("my-training", 6), ("second", 8), ("a-class", 4)])
def test_it_is_measured_like_those_that_ship(lab: Lab, scenario: str, steps: int) -> None:
    for loader in ("accelerate", "mine"):
        record = lab.measured(Cell(NEWEST, NEWEST, scenario, loader))
        assert record.status == Status.EXACT
        assert record.components["scheduler"] == Verdict.RESTORED
        assert record.components["step"] == Verdict.NOT_TOLD_APART
        assert record.components["custom"] == Verdict.ABSENT
        assert record.resume is not None
        assert record.resume.steps == steps


def test_a_release_that_loses_something_is_told(lab: Lab) -> None:
    old = Environment("0.24.1", NEWEST.stack)
    record = lab.measured(Cell(old, old, "my-training"))
    assert record.status == Status.DEGRADED
    assert record.components["rng.torch"] == Verdict.LOST
    assert record.resume is not None
    assert record.resume.first_difference is not None
    assert record.resume.first_difference.quantity == "samples"


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
    with Lab(Site(config, Home.of(ROOT))) as lab:
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
