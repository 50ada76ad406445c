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
    PICKLED_STATES,
    FileKind,
    WeightFormat,
    is_shard,
    kind_of,
    weights_file,
)
from ckptmatrix.checkpoint.format.random_states import RandomKey
from ckptmatrix.checkpoint.format.safety import HARMLESS
from ckptmatrix.worker import layout
from tests.support.places import ROOT

SOURCE = ROOT / "src" / "ckptmatrix"
RESUME = SOURCE / "resume.py"

INDICES = (0, 1, 12)
REPAIRED = (*PICKLED_STATES, FileKind.RANDOM_STATES, FileKind.CUSTOM)
"""The kinds whose pickles doctor and repair look through."""


def assigned(path: Path, name: str) -> ast.expr:
    """The expression that a module assigns to a name."""
    for node in ast.parse(path.read_text("utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            assert node.value is not None
            return node.value
    raise AssertionError(f"{path.name} has no {name} any more")


def constant(path: Path, name: str) -> Any:
    """The value that a module assigns to a name, where the standard library is enough for it."""
    expression = ast.Expression(assigned(path, name))
    return eval(compile(expression, path.name, "eval"), {"re": re})


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
    "resume.py": {"model", "pytorch_model", "optimizer", "random_states", "custom_checkpoint"},
    "doctor.py": {
        *("model", "pytorch_model", "optimizer", "scheduler", "random_states"),
        "custom_checkpoint",
    },
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
        found = kind_of(text.replace("{}", filled))
        if found is not None:
            return found[0]
    return None


def test_every_file_name_is_one_that_accelerate_gives() -> None:
    modules = [
        *(RESUME, SOURCE / "doctor.py"),
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


def test_doctor_knows_the_same_pickles() -> None:
    for kind, index in product(FileKind, INDICES):
        name = kind.file(index)
        assert bool(doctor.PICKLED.fullmatch(name)) == (kind in REPAIRED), name


def test_doctor_knows_the_same_keys() -> None:
    assert {key.component: key.value for key in RandomKey} == doctor.KEYS


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


def test_doctor_loads_what_is_harmless_and_no_more() -> None:
    loads = {name for name in PROBES if doctor.HARMLESS.fullmatch(name)}
    more = {name for name in loads - HARMLESS if not name.endswith("Storage")}
    assert more == set()
    # It never sees them: torch.save writes none of these as a global.
    left_out = {f"{m}.{n}" for m in ("builtins", "__builtin__") for n in ("bytes", "tuple")}
    assert HARMLESS - loads == {"torch.Tensor", *left_out}


def test_doctor_knows_how_numpy_pickles_arrays() -> None:
    named = {name for name in PROBES if doctor.NUMPY.fullmatch(name)}
    assert named == {name for name in HARMLESS if name.endswith("._reconstruct")}


def test_resume_knows_the_same_files() -> None:
    names = constant(RESUME, "_NAMES")
    kinds = re.search(r"\(\?P<kind>([\w|]+)\)", names.pattern)
    assert kinds is not None
    assert set(kinds[1].split("|")) == {kind.stem for kind in FileKind}
    for kind, index in product(FileKind, INDICES):
        name = kind.file(index)
        match = names.fullmatch(name)
        assert match is not None, name
        assert (match["kind"], int(match["index"] or 0)) == (kind.stem, kind.index(name))


def test_resume_calls_components_alike() -> None:
    titles = constant(RESUME, "_TITLES")
    own = {FileKind.RANDOM_STATES: "rng", FileKind.SAMPLER: "sampler"}
    for kind in FileKind:
        assert titles.get(kind.stem, kind.stem) == own.get(kind, kind.component)
    assert set(titles) <= {kind.stem for kind in FileKind}


def test_resume_knows_the_same_keys() -> None:
    streams = assigned(RESUME, "_STREAMS")
    assert isinstance(streams, ast.Dict)
    found = {
        ast.literal_eval(component): ast.literal_eval(value.elts[0])
        for component, value in zip(streams.keys, streams.values, strict=True)
        if component is not None and isinstance(value, ast.Tuple)
    }
    generators = set(RandomKey) - {RandomKey.STEP}
    assert found == {key.component: key.value for key in generators}
    assert {RandomKey.STEP, RandomKey.CUDA} <= set(literals(RESUME))


def test_resume_knows_the_same_dtypes() -> None:
    assert constant(RESUME, "_DTYPES") == {
        dtype.code: dtype.torch for dtype in DTYPES if dtype.in_safetensors
    }


def _dotted(node: ast.expr) -> str:
    """`torch.Size` of an expression; a name alone is a builtin or a class of `collections`."""
    text = ast.unparse(node)
    if "." in text:
        return {"torch.nn.Parameter": "torch.nn.parameter.Parameter"}.get(text, text)
    return f"builtins.{text}" if hasattr(builtins, text) else f"collections.{text}"


def _allowed_by_resume() -> set[str]:
    """What its list holds on every torch: two tuples, and what `_always_allowed` adds by name."""
    plain = assigned(RESUME, "_PLAIN")
    assert isinstance(plain, ast.Tuple)
    groups = [star.value for star in plain.elts if isinstance(star, ast.Starred)]
    allowed = {_dotted(n) for group in groups if isinstance(group, ast.Tuple) for n in group.elts}
    allowed |= {f"torch._utils.{name}" for name in constant(RESUME, "_REBUILD")}
    tree = ast.parse(RESUME.read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    [adding] = [node for node in functions if node.name == "_always_allowed"]
    for statement in adding.body:
        cores = [""]
        if isinstance(statement, ast.For):
            cores = list(ast.literal_eval(statement.iter))
        entries = [n for n in ast.walk(statement) if isinstance(n, ast.Subscript)]
        for key in (n.slice for n in entries if ast.unparse(n.value) == "allowed"):
            if isinstance(key, ast.Constant):
                allowed.add(str(key.value))
            elif isinstance(key, ast.BinOp):
                allowed |= {f"{core}{ast.literal_eval(key.right)}" for core in cores}
    return allowed


def test_resume_allows_what_is_harmless_and_no_more() -> None:
    # torch answers for its storages itself, resume for all dtypes that the torch at hand has; and
    # what protocol 2 calls __builtin__ is mapped before it is looked up.
    elsewhere = {f"torch.{n}" for dtype in DTYPES for n in (dtype.torch, dtype.storage)}
    elsewhere |= {name for name in HARMLESS if name.startswith("__builtin__.")}
    assert _allowed_by_resume() == HARMLESS - elsewhere


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
