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
from packaging.version import Version
from picklescan import scanner

from ckptmatrix import doctor
from ckptmatrix.checkpoint.format.archive import PICKLE_LIMIT
from ckptmatrix.checkpoint.format.dtypes import DTYPES
from ckptmatrix.checkpoint.format.inert import KEY_LIMIT
from ckptmatrix.checkpoint.format.names import (
    PICKLED_STATES,
    FileKind,
    WeightFormat,
    is_shard,
    kind_of,
    weights_file,
)
from ckptmatrix.checkpoint.format.pickles import OPCODE_LIMIT
from ckptmatrix.checkpoint.format.random_states import RandomKey
from ckptmatrix.checkpoint.format.safetensors import HEADER_LIMIT
from ckptmatrix.checkpoint.format.safety import HARMLESS
from ckptmatrix.knowledge.releases import (
    ACCELERATE,
    CustomCount,
    SchedulerCounts,
    StepRead,
    WeightsRead,
)
from ckptmatrix.worker import layout
from tests.support.places import ROOT

SOURCE = ROOT / "src" / "ckptmatrix"
RESUME = SOURCE / "resume.py"

COPIED = {"resume.py": RESUME, "doctor.py": SOURCE / "doctor.py"}
"""The files that users copy alone."""
copied_alone = pytest.mark.parametrize("path", COPIED.values(), ids=COPIED)


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
OTHERS = {
    *("data.pkl", "constants.pkl", "diffusion_pytorch_model.safetensors"),
    *("mp_rank_00_model_states.pt", "zero_pp_rank_{}_mp_rank_00_model_states.pt"),
    *("zero_pp_rank_{}_mp_rank_00_optim_states.pt", "pytorch_model_fsdp.bin"),
    *("fp32.pt", "optimizer_state.pt", "_optim_states.pt"),
}
"""Records of archives, a file of diffusers', DeepSpeed's and gathered FSDP's."""
NAMED = {
    "worker/exercising.py": {"model", "optimizer", "scheduler", "random_states"},
    "worker/layout.py": {kind.stem for kind in FileKind},
    "worker/scenarios/bin_weights.py": {"pytorch_model"},
    "worker/scenarios/stale_files.py": {"model", "pytorch_model"},
    "knowledge/causes/engine_schedule.py": {"scheduler"},
    "knowledge/causes/fsdp_scaler_counts.py": {"scaler"},
    "knowledge/causes/fsdp_shared_step.py": {"optimizer"},
    "knowledge/causes/rank_states_missing.py": {"random_states"},
    "knowledge/causes/scaler_not_saved.py": {"scaler"},
    "knowledge/causes/scheduler_not_saved.py": {"scheduler"},
    "knowledge/causes/stale_files.py": {"model", "pytorch_model"},
}
"""Module that names files of a checkpoint -> what those names begin with. Those that are copied
alone have tables, which are compared below."""


def _kind(text: str) -> FileKind | None:
    for filled in ("", "3", "_3"):
        found = kind_of(text.replace("{}", filled).replace("_N.", "_3."))
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
    assert {module: names for module, names in found.items() if module not in COPIED} == NAMED


def _named(kind: FileKind) -> str:
    """What the copied files call the component of a kind."""
    own = {FileKind.RANDOM_STATES: "rng", FileKind.SAMPLER: "sampler"}
    return own.get(kind, kind.component)


@copied_alone
def test_the_copied_files_give_the_same_names(path: Path) -> None:
    unknown_to_doctor = {FileKind.SAMPLER} if path.name == "doctor.py" else set()
    kinds = [kind for kind in FileKind if kind not in unknown_to_doctor]
    for index in INDICES:
        number = f"_{index}" if index else ""
        found = {
            component: {t.replace("[_N]", number).replace("N", str(index)) for t in templates}
            for component, templates in constant(path, "FILE_NAMES").items()
        }
        wanted: dict[str, set[str]] = {}
        for kind in kinds:
            wanted.setdefault(_named(kind), set()).add(kind.file(index))
        assert found == wanted


@copied_alone
def test_the_copied_files_know_the_same_keys(path: Path) -> None:
    assert constant(path, "RANDOM_STATE_KEYS") == {key.component: key.value for key in RandomKey}


def test_resume_knows_the_same_dtypes() -> None:
    assert constant(RESUME, "SAFETENSORS_DTYPES") == {
        dtype.code: dtype.torch for dtype in DTYPES if dtype.in_safetensors
    }


# Types of elements are not listed there but known by their form, or asked of the torch at hand; and
# what protocol 2 calls __builtin__ is mapped before it is looked up.
_ELSEWHERE = {f"torch.{n}" for dtype in DTYPES for n in (dtype.torch, dtype.storage)} | {
    name for name in HARMLESS if name.startswith("__builtin__.")
}
# doctor never sees them: torch.save writes none of these as a global.
_NEVER_SEEN = {"builtins.bytes", "builtins.tuple", "torch.Tensor"}


@copied_alone
def test_the_copied_files_load_what_is_harmless_and_no_more(path: Path) -> None:
    left_out = _ELSEWHERE | (_NEVER_SEEN if path.name == "doctor.py" else set())
    assert set(constant(path, "HARMLESS_NAMES")) == HARMLESS - left_out


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


def test_what_doctor_takes_for_harmless_by_its_form_is() -> None:
    loads = {name for name in PROBES if doctor.is_harmless(name)}
    assert {name for name in loads - HARMLESS if not name.endswith("Storage")} == set()


def test_doctor_looks_through_the_same_pickles() -> None:
    for kind, index in product(FileKind, INDICES):
        name = kind.file(index)
        assert bool(doctor.PICKLED.fullmatch(name)) == (kind in REPAIRED), name


SINCE: dict[str, tuple[str, object]] = {
    "hooks": ("hooks", True),
    "scheduler counts updates": ("scheduler_counts", SchedulerCounts.OPTIMIZER_STEPS),
    "custom count raises": ("custom_count", CustomCount.ERROR),
    "safetensors": ("weights", WeightsRead.BY_NAME),
    "step saved": ("step", StepRead.DEMANDED),
    "weights only": ("asks_weights_only", True),
}
"""What the copied files say changed -> what `knowledge.releases` calls it."""
SCHEDULERS = ("schedulers seen", "schedulers overlooked", "schedulers seen for good")
"""Changes of one thing, to and fro."""


@copied_alone
def test_the_copied_files_know_the_same_releases(path: Path) -> None:
    since = {name: Version(release) for name, release in constant(path, "RELEASES").items()}
    since.pop("oldest", None)  # that resume is made for; no change of accelerate's
    schedulers = [since.pop(name) for name in SCHEDULERS if name in since]
    assert schedulers in ([], list(ACCELERATE.starts_of("sees_schedulers")[1:]))
    assert since
    for name, version in since.items():
        field, value = SINCE[name]
        assert ACCELERATE.first_with(**{field: value}) == version, name


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


@copied_alone
def test_the_copied_files_read_archives_by_the_same_code(path: Path) -> None:
    texts = {}
    for source in (path, RESUME):
        tree = ast.parse(source.read_text("utf-8"))
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        texts[source] = [ast.unparse(functions[name]) for name in ("archive_records", "_wide")]
        texts[source].append(ast.unparse(assigned(source, "_RECORD")))
    assert texts[path] == texts[RESUME]


BOUNDS = {
    "OPCODE": (OPCODE_LIMIT, "_OPCODES", doctor.MOST_OPCODES),
    "PICKLE": (PICKLE_LIMIT, "_LONGEST_PICKLE", doctor.LONGEST_PICKLE),
    "HEADER": (HEADER_LIMIT, "_LONGEST_HEADER", doctor.LONGEST_HEADER),
    "KEY": (KEY_LIMIT, "_LONGEST_KEY", doctor.LONGEST_KEY),
}
"""What is bounded -> here, its name in resume, in doctor."""


@pytest.mark.parametrize("name", BOUNDS)
def test_the_copied_files_have_the_same_bounds(name: str) -> None:
    here, in_resume, in_doctor = BOUNDS[name]
    expression = ast.Expression(assigned(RESUME, in_resume))
    assert here == eval(compile(expression, in_resume, "eval")) == in_doctor
