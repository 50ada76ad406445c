"""What `resume.py`, `doctor.py`, the worker and the causes repeat is what `checkpoint/format` says.

They cannot import it: the first two are copied alone, the worker runs in foreign environments, and
knowledge does not know of checkpoints. What needs torch to be imported is read as source.
"""

import ast
import builtins
import collections
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from picklescan import scanner

from ckptmatrix import doctor
from ckptmatrix.checkpoint.format.dtypes import DTYPES
from ckptmatrix.checkpoint.format.names import (
    FileKind,
    WeightFormat,
    is_shard,
    kind_of,
    weights_file,
)
from ckptmatrix.checkpoint.format.random_states import RandomKey
from ckptmatrix.checkpoint.format.safety import HARMLESS
from ckptmatrix.knowledge.releases import ACCELERATE, CustomCount, SchedulerCounts, WeightsRead
from ckptmatrix.worker import layout
from tests.support.places import ROOT

SOURCE = ROOT / "src" / "ckptmatrix"
COPIED = ("resume", "doctor")
"""What users copy alone."""

INDICES = (0, 1, 12)


def fact(module: str, name: str) -> Any:
    """The literal that a module of the package assigns to a name; read, as it may need torch."""
    for node in ast.parse((SOURCE / f"{module}.py").read_text("utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            assert node.value is not None
            return ast.literal_eval(node.value)
    raise AssertionError(f"{module}.py has no {name} any more")


def literals(path: Path) -> Iterator[str]:
    """Texts of a module, its documentation aside; `{}` stands for what an f-string fills in."""
    tree = ast.parse(path.read_text("utf-8"))
    aside = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            aside.update(map(id, node.values))
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield "".join(map(str, parts))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in aside and isinstance(node.value, str):
            yield node.value


NAME = re.compile(r"[\w.{}]+\.(?:bin|pkl|pt|safetensors)")
OTHERS = {"data.pkl", "constants.pkl", "diffusion_pytorch_model.safetensors"}
"""Records of archives, and a file of diffusers'."""
NAMED = {
    "resume.py": {"scaler", "random_states", "custom_checkpoint"},
    "doctor.py": {"scheduler", "scaler", "random_states", "custom_checkpoint"},
    "worker/exercising.py": {"model", "optimizer", "scheduler", "random_states"},
    "worker/layout.py": {kind.stem for kind in FileKind},
    "worker/scenarios/bin_weights.py": {"pytorch_model"},
    "worker/scenarios/stale_files.py": {"model", "pytorch_model"},
    "knowledge/causes/rank_states_missing.py": {"random_states"},
    "knowledge/causes/scaler_not_saved.py": {"scaler"},
    "knowledge/causes/scheduler_not_saved.py": {"scheduler"},
    "knowledge/causes/stale_files.py": {"model", "pytorch_model"},
}
"""Module that names files of a checkpoint -> what those names begin with."""


def _kind(text: str) -> FileKind | None:
    for filled in ("", "3", "_3"):
        found = kind_of(text.replace("{}", filled).replace("_N.", "_3."))
        if found is not None:
            return found[0]
    return None


def test_every_file_name_is_one_that_accelerate_gives() -> None:
    modules = [
        *(SOURCE / f"{module}.py" for module in COPIED),
        *(SOURCE / "worker").rglob("*.py"),
        *(SOURCE / "knowledge").rglob("*.py"),
    ]
    found: dict[str, set[str]] = {}
    for path in modules:
        for text in set(literals(path)) - OTHERS:
            if NAME.fullmatch(text):
                kind = _kind(text)
                assert kind is not None, f"{path.name} names {text}"
                found.setdefault(path.relative_to(SOURCE).as_posix(), set()).add(kind.stem)
    assert found == NAMED


def _named(template: str, index: int) -> str:
    """A file's name; `[_N]` is left out for the first, `N` never."""
    return template.replace("[_N]", f"_{index}" if index else "").replace("N", str(index))


OWN_WORDS = {FileKind.RANDOM_STATES: "rng", FileKind.SAMPLER: "sampler"}
"""What the copied ones call otherwise: no component, or one that they set apart."""


@pytest.mark.parametrize(("module", "without"), [("resume", ()), ("doctor", (FileKind.SAMPLER,))])
def test_files_have_the_same_names(module: str, without: tuple[FileKind, ...]) -> None:
    templates = fact(module, "FILE_NAMES")
    for index in INDICES:
        expected: dict[str, set[str]] = {}
        for kind in (kind for kind in FileKind if kind not in without):
            word = OWN_WORDS.get(kind, kind.component)
            expected.setdefault(word, set()).add(kind.file(index))
        named = {word: {_named(t, index) for t in found} for word, found in templates.items()}
        assert named == expected


@pytest.mark.parametrize("module", COPIED)
def test_random_states_have_the_same_keys(module: str) -> None:
    assert fact(module, "RANDOM_STATE_KEYS") == {key.component: key.value for key in RandomKey}


def test_resume_knows_the_same_dtypes() -> None:
    assert fact("resume", "SAFETENSORS_DTYPES") == {
        dtype.code: dtype.torch for dtype in DTYPES if dtype.in_safetensors
    }


def _since(**wanted: object) -> str:
    return str(ACCELERATE.first_with(**wanted))


SEEN, SEEN_FOR_GOOD = (str(span.first) for span in ACCELERATE.spans_of(sees_schedulers=True))
RELEASES = {
    "custom count raises": _since(custom_count=CustomCount.ERROR),
    "hooks": _since(hooks=True),
    "safetensors": _since(weights=WeightsRead.BY_NAME),
    "scheduler counts updates": _since(scheduler_counts=SchedulerCounts.OPTIMIZER_STEPS),
    "schedulers overlooked": str(ACCELERATE.spans_of(sees_schedulers=False)[-1].first),
    "schedulers seen": SEEN,
    "schedulers seen for good": SEEN_FOR_GOOD,
    "step saved": _since(restores_step=True),
    "weights only": _since(asks_weights_only=True),
}
"""What the copied ones say of releases -> the first that does so by the table."""


@pytest.mark.parametrize("module", COPIED)
def test_releases_do_the_same(module: str) -> None:
    found = fact(module, "RELEASES")
    found.pop("oldest", None)  # what the file itself is made for
    assert found == {name: RELEASES[name] for name in found}


PROBES = sorted(
    {
        *HARMLESS,
        *(f"{m}.{n}" for m in ("builtins", "__builtin__") for n in dir(builtins)),
        *(f"collections.{n}" for n in dir(collections)),
        *(
            f"{module}.{name}"
            for table in (scanner._safe_globals, scanner._unsafe_globals)
            for module, names in table.items()
            for name in (names if isinstance(names, set) else {"anything"})
        ),
        *("torch.load", "torch.jit.load", "torch.storage._load_from_bytes", "torch.hub.load"),
        *("numpy.load", "numpy.core.multiarray.fromstring", "numpy.testing.runstring"),
    }
)
"""Every name that some list speaks of, and what stands beside the harmless ones."""


OF_TORCH = {f"torch.{n}" for dtype in DTYPES for n in (dtype.torch, dtype.storage) if n}
"""Types that doctor knows by a pattern, and resume by the torch at hand."""
PROTOCOL_2 = {name for name in HARMLESS if name.startswith("__builtin__.")}
"""What protocol 2 calls otherwise; both look it up as `builtins`."""
NEVER_SAVED = {"builtins.bytes", "builtins.tuple", "torch.Tensor"}
"""What torch.save writes in no file of accelerate's, so that doctor does without."""


def test_resume_allows_what_is_harmless_and_no_more() -> None:
    assert set(fact("resume", "HARMLESS_NAMES")) == HARMLESS - OF_TORCH - PROTOCOL_2


def test_doctor_loads_what_is_harmless_and_no_more() -> None:
    names = set(fact("doctor", "HARMLESS_NAMES"))
    assert names == HARMLESS - OF_TORCH - PROTOCOL_2 - NEVER_SAVED
    types = {name for name in PROBES if doctor.TORCH_TYPES.fullmatch(name)}
    assert {name for name in types if not name.endswith("Storage")} == {
        name for name in OF_TORCH if not name.endswith("Storage")
    }
    assert types >= OF_TORCH


def test_the_worker_knows_whose_file_it_is() -> None:
    for kind, index in product(FileKind, INDICES):
        assert layout.component_of(kind.file(index)) == kind.component, kind
    for name in ("model-00001-of-00002.safetensors", "pytorch_model-00001-of-00002.bin"):
        assert is_shard(name)
        assert layout.component_of(name) == FileKind.MODEL_BIN.component
        assert layout.is_weights_of_first(name)
    for name in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        assert weights_file(name) is not None
        assert layout.component_of(name) == FileKind.MODEL_BIN.component


def test_the_worker_names_files_alike() -> None:
    templates = {
        FileKind.MODEL_BIN: layout.PICKLED_WEIGHTS,
        FileKind.MODEL_SAFETENSORS: layout.SAFE_WEIGHTS,
        FileKind.OPTIMIZER: layout.OPTIMIZER,
        FileKind.SCHEDULER: layout.SCHEDULER,
        FileKind.SAMPLER: layout.SAMPLER,
        FileKind.DATALOADER: layout.POSITION,
        FileKind.SCALER: layout.SCALER,
    }
    for index in INDICES:
        names = {kind: t.format(f"_{index}" if index else "") for kind, t in templates.items()}
        names[FileKind.CUSTOM] = layout.custom_file(index)
        names[FileKind.RANDOM_STATES] = layout.random_file(index)
        assert names == {kind: kind.file(index) for kind in FileKind}
        assert layout.rank_of(layout.random_file(index)) == index


def test_the_worker_knows_the_same_keys() -> None:
    keys = {str(part): key for part, key in layout.RANDOM_KEYS.items()}
    assert keys == {key.component: key.value for key in RandomKey}


@pytest.mark.parametrize("kind", FileKind)
def test_a_name_and_its_number_are_each_others_inverse(kind: FileKind) -> None:
    for index in (0, 1, 7, 10, 999_999):
        expected = 0 if kind is FileKind.SCALER else index
        assert kind_of(kind.file(index)) == (kind, expected)


@pytest.mark.parametrize(
    "name",
    [
        *("optimizer_007.bin", "optimizer_0.bin", "random_states_00.pkl", "random_states.pkl"),
        *("custom_checkpoint.pkl", "scaler_1.pt", "model_0.safetensors", "model.bin"),
        *("optimizer_1000000.bin", "random_states_².pkl", "xoptimizer.bin"),
        *("unet/model.safetensors", "pytorch_model.safetensors", "optimizer.bin\n"),
    ],
)
def test_what_accelerate_never_writes_is_no_such_file(name: str) -> None:
    assert kind_of(name) is None


def test_weights_and_their_shards() -> None:
    found = weights_file("pytorch_model_2.bin.index.json")
    assert found is not None
    assert (found.format, found.index, found.sharded) == (WeightFormat.BIN, 2, True)
    found = weights_file("model.safetensors")
    assert found is not None
    assert (found.format, found.index, found.sharded) == (WeightFormat.SAFETENSORS, 0, False)
    assert weights_file("model.safetensors.json") is None
    assert not is_shard("model.safetensors")
