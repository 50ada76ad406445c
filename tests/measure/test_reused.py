"""What is reused is what it was, to the bit; what is not is made anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure.checkpoints import Written, find_written
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Treatment
from ckptmatrix.plan.config import Config
from ckptmatrix.util.home import Home
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

REPAIRED = Cell(NEWEST, NEWEST, "basic", treatment=Treatment.REPAIRED)


@pytest.fixture(scope="module")
def site(project: Config, tmp_path_factory: pytest.TempPathFactory) -> Site:
    home = Home(tmp_path_factory.mktemp("home"))
    home.environments.symlink_to(Home.of(ROOT).environments, target_is_directory=True)
    return Site(project, home)


@pytest.fixture
def lab(site: Site) -> Iterator[Lab]:
    with Lab(site) as lab:
        yield lab


def flip(path: Path) -> None:
    """One bit in the middle of a file, which keeps its size."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        *("checkpoint/model.safetensors", "checkpoint/random_states_0.pkl"),
        *("truth.json", "truth.safetensors"),
    ],
)
def test_a_checkpoint_with_one_bit_flipped_is_written_anew(lab: Lab, name: str) -> None:
    before = lab.registry.written(NEWEST, "basic")
    assert found(lab) == before
    content = (before.place / name).read_bytes()
    flip(before.place / name)
    assert found(lab) is None
    with Lab(lab.site) as later:
        assert later.registry.written(NEWEST, "basic").content == before.content
    assert (before.place / name).read_bytes() == content


@pytest.mark.parametrize("name", ["checkpoint/optimizer.bin", "truth.safetensors"])
def test_so_is_a_repaired_copy(lab: Lab, name: str) -> None:
    before = lab.registry.treated(REPAIRED)
    flip(before.place / name)
    with Lab(lab.site) as later:
        assert later.registry.treated(REPAIRED) == before
    assert before.intact


def test_a_file_that_is_missing_is_no_reason_to_fall(lab: Lab) -> None:
    written = lab.registry.written(NEWEST, "basic")
    (written.directory / "optimizer.bin").unlink()
    assert found(lab) is None
    with Lab(lab.site) as later:
        assert later.registry.written(NEWEST, "basic").intact


def found(lab: Lab) -> Written | None:
    return find_written(lab.site, lab.registry.installed(NEWEST), "basic")
