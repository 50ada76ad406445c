"""What an outcome hangs on is found out by looking at what was imported and read for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure.checkpoints import find_written
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Status
from ckptmatrix.plan.config import read_config
from ckptmatrix.util.home import Home
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

PLAIN = """
from ckptmatrix.worker.scenarios.basic import Basic

class Plain(Basic):
    pass
"""
TRAINING = """
import importlib
import json
import sys
from pathlib import Path

from .more import RATE
from ckptmatrix.worker.scenarios.basic import Basic

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from trainlib.optim import optimizer

class Training(Basic):
    def optimizers(self, model):
        from . import late
        named = json.loads((Path(__file__).parents[1] / "data" / "run.json").read_text())
        made_up = importlib.import_module(named["module"])
        return [optimizer(model, RATE * late.FACTOR * made_up.FACTOR)]

    def before(self, training):
        super().before(training)
        Path(__file__).with_name("written.txt").write_text("by the script itself")
        Path(__file__).with_name("written.txt").read_text()
"""
LOADERS = """
from training.loading import load

def native(accelerator, directory):
    load(accelerator, directory)
"""
FILES = {
    "training/__init__.py": "",
    "training/train.py": TRAINING,
    "training/more.py": "RATE = 0.01\n",
    "training/late.py": "FACTOR = 1.0\n",
    "training/made_up.py": "FACTOR = 1.0\n",
    "training/plain.py": PLAIN,
    "training/loading.py": "def load(accelerator, place):\n    accelerator.load_state(place)\n",
    "src/trainlib/__init__.py": "",
    "src/trainlib/optim.py": (
        "import torch\n\ndef optimizer(model, rate):\n"
        "    return torch.optim.Adam(model.parameters(), lr=rate)\n"
    ),
    "data/run.json": '{"module": "training.made_up"}',
    "my_loaders.py": LOADERS,
    "training/written.txt": "of an earlier run",
    "unread.py": "",
}
CELL = Cell(NEWEST, NEWEST, "mine", "native")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with relative imports, a package under src, data, and outcomes of two scenarios."""
    root = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    declared = (ROOT / "matrix.toml").read_text(encoding="utf-8")
    declared = declared.replace(
        "[scenarios]\n",
        '[scenarios]\nplain = "training.plain:Plain"\nmine = "training.train:Training"\n',
    )
    declared = declared.replace("[loaders]\n", '[loaders]\nnative = "my_loaders:native"\n')
    (root / "matrix.toml").write_text(declared, encoding="utf-8")
    with Lab(site(root)) as lab:
        assert lab.outcome(Cell(NEWEST, NEWEST, "plain")).status == Status.EXACT
        assert lab.outcome(CELL).status == Status.EXACT
    return root


def site(root: Path) -> Site:
    return Site(read_config(root / "matrix.toml"), Home.of(ROOT))


@pytest.fixture
def lab(project: Path) -> Iterator[Lab]:
    with Lab(site(project)) as lab:
        yield lab


def kept(lab: Lab, scenario: str = "mine") -> tuple[bool, bool]:
    """Whether the checkpoint of a scenario still stands, and the outcome of a load of it."""
    built = lab.registry.installed(NEWEST)
    written = find_written(lab.site, built, scenario) is not None
    key = lab.key(CELL if scenario == "mine" else Cell(NEWEST, NEWEST, scenario))
    return written, key in lab.store.statuses() and lab.store.get(key) is not None


BY_BOTH = (
    "training/__init__.py",
    "training/train.py",
    "training/more.py",
    "training/late.py",
    "training/made_up.py",
    "src/trainlib/__init__.py",
    "src/trainlib/optim.py",
    "data/run.json",
)


@pytest.mark.parametrize(
    ("name", "stands"),
    [
        *((name, (False, False)) for name in BY_BOTH),
        ("my_loaders.py", (True, False)),
        ("training/loading.py", (True, False)),
        ("unread.py", (True, True)),
        ("training/written.txt", (True, True)),
    ],
)
def test_what_was_imported_or_read_decides(
    lab: Lab, project: Path, name: str, stands: tuple[bool, bool]
) -> None:
    key = lab.key(CELL)
    before = (project / name).read_bytes()
    assert kept(lab) == (True, True)
    (project / name).write_bytes(before + b"\n")
    try:
        written = find_written(lab.site, lab.registry.installed(NEWEST), "mine") is not None
        assert (written, lab.store.get(key) is not None) == stands
        assert (key in lab.store.statuses(), key in lab.store.times()) == (stands[1], stands[1])
    finally:
        (project / name).write_bytes(before)


def test_another_scenario_of_the_project_stands(lab: Lab, project: Path) -> None:
    (project / "training" / "more.py").write_text("RATE = 0.02\n", encoding="utf-8")
    try:
        assert kept(lab, "plain") == (True, True)
        assert lab.unmeasured([CELL]) == (CELL,)
    finally:
        (project / "training" / "more.py").write_text("RATE = 0.01\n", encoding="utf-8")


def test_what_is_gone_is_another(lab: Lab, project: Path) -> None:
    key = lab.key(CELL)
    moved = (project / "data" / "run.json").rename(project / "data" / "elsewhere.json")
    try:
        assert lab.store.get(key) is None
        assert find_written(lab.site, lab.registry.installed(NEWEST), "mine") is None
    finally:
        moved.rename(project / "data" / "run.json")


def test_the_scenarios_that_ship_hang_on_nothing_else(lab: Lab) -> None:
    record, touched = lab.loading(
        Cell(NEWEST, NEWEST, "basic"), lab.registry.written(NEWEST, "basic")
    ).measured()
    assert record.status == Status.EXACT
    assert touched == {}
