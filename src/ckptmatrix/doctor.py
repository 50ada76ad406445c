#!/usr/bin/env python
"""Which parts of a training state come back in this very environment, and will DIR resume here?

    python doctor.py                 what is lost by save_state and load_state here
    python doctor.py DIR             and whether the checkpoint DIR will resume here
    python doctor.py DIR --json      the same for programs

One file that needs nothing but torch and accelerate: copy it to the machine in question. It saves
a small state with `accelerator.step = 360`, loads it in a fresh process that started from another
seed, and compares every component by value. DIR is only read: its pickles are looked through
without running them, and loaded only where they name nothing but tensors, arrays and containers.

Exit codes: 0 all comes back, 1 something is lost or raises, 2 wrong use, 3 no accelerate here.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import pickle
import pickletools
import platform
import random
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import traceback
import types
import zipfile
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

# Facts about checkpoints, each stated here alone.

FILE_NAMES: dict[str, tuple[str, ...]] = {
    "model": ("model[_N].safetensors", "pytorch_model[_N].bin"),
    "optimizer": ("optimizer[_N].bin",),
    "scheduler": ("scheduler[_N].bin",),
    "scaler": ("scaler.pt",),
    "dataloader": ("dl_state_dict[_N].bin",),
    "rng": ("random_states_N.pkl",),
    "custom": ("custom_checkpoint_N.pkl",),
}
"""Component -> the names that accelerate gives to its files (its utils/constants.py). N counts the
objects, for `rng` the processes, from 0; `[_N]` is left out for 0."""

LONGEST_HEADER, LONGEST_PICKLE, MOST_OPCODES = 16 << 20, 32 << 20, 4_000_000
"""What is read of what describes a file: bytes of a header, in which a tensor takes some 100; bytes
of a pickle, in which it takes some 200, and opcodes, of which it takes some 36."""

SPARE_MEMORY = 4 << 30
"""Bytes that a process takes which reads files, beside theirs; torch itself takes up to one GB."""

RANDOM_STATE_KEYS = {
    "rng.python": "random_state",
    "rng.numpy": "numpy_random_seed",
    "rng.torch": "torch_manual_seed",
    "rng.cuda": "torch_cuda_manual_seed",
    "step": "step",
}
"""Component -> its key in `random_states_N.pkl`."""

HARMLESS_NAMES = (
    "builtins.set", "builtins.frozenset", "builtins.complex", "builtins.bytearray",
    "builtins.slice", "builtins.int", "builtins.float", "builtins.bool", "builtins.str",
    "builtins.list", "builtins.dict", "_codecs.encode",
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter",
    "collections.deque", "torch.Size", "torch.device",
    "torch.nn.parameter.Parameter", "torch.storage.UntypedStorage",
    "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter",
    "numpy.dtype", "numpy.ndarray",
    "numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar",
)  # fmt: skip
"""What a pickle may name to be loaded here, beside torch's storages and dtypes. `numpy.core` is
numpy 1, `numpy._core` numpy 2."""

RELEASES = {
    "schedulers seen": "0.15.0",  # those of torch 2, when they are prepared
    "schedulers overlooked": "0.16.0",  # again
    "schedulers seen for good": "0.17.0",
    "safetensors": "0.25.0",  # is what weights are saved as, and looked for first
    "step saved": "0.32.0",  # with the random states
    "weights only": "1.1.0",  # is what accelerate's own `load` asks torch for
}
"""What changed in accelerate -> the first release that has it."""

MARKS = ("optimizer", "random_states", "scheduler.bin")
"""How the names of files begin that make a directory a checkpoint."""
SAFE_WEIGHTS, PICKLED_WEIGHTS = (name.replace("[_N]", "") for name in FILE_NAMES["model"])
OPTIMIZER, SCHEDULER = (FILE_NAMES[c][0].replace("[_N]", "") for c in ("optimizer", "scheduler"))
RANDOM_STATES = FILE_NAMES["rng"][0].replace("N", "0")
"""The file of the first process."""
PICKLED = re.compile(
    "|".join(
        re.escape(name).replace(r"\[_N\]", r"(_\d+)?").replace("N", r"\d+")
        for component, names in FILE_NAMES.items()
        for name in names
        if component != "model"
    )
)
TORCH_TYPES = re.compile(r"torch\.(\w*Storage|(b?float|u?int|complex)\d+\w*|bool)")

# What goes wrong, or may.

REPAIR = "`ckptmatrix repair DIR NEW` writes a copy that loads here"
LOADER = "ckptmatrix.resume.load_state(accelerator, DIR) restores it as it is"


class Finding(NamedTuple):
    """One thing that goes wrong, or may."""

    effect: Literal["raises", "silent", "unknown", "possible"]  # docs/doctor.md says what they mean
    what: str
    cause: str
    remedy: str


# In a process of its own: save, or load and compare, or read. Answers are by folder or file name.

STEP = 360
KINDS = {"plain": f"step = {STEP}", "tied": "tied weights"}
"""Kind of training state, and name of its folder -> title."""


class Training:
    """A small training state; every seed gives another one."""

    def __init__(self, seed: int, tied: bool) -> None:
        import numpy as np
        import torch
        from accelerate import Accelerator

        class Custom:
            """What `register_for_checkpointing` is used for: EMA weights, counters, histories."""

            def __init__(self) -> None:
                weights, history = torch.full((3,), float(seed)), np.arange(4) + seed
                self.state: Any = {"weights": weights, "history": history}

            def state_dict(self) -> Any:
                return self.state

            def load_state_dict(self, state: Any) -> None:
                self.state = state

        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        self.accelerator = Accelerator(cpu=True)
        model = torch.nn.Sequential(*(torch.nn.Linear(4, 4, bias=False) for _ in range(2)))
        if tied:
            model[1].weight = model[0].weight
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1 / seed)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        prepared = self.accelerator.prepare(model, optimizer, scheduler)
        self.model, self.optimizer, self.scheduler = prepared
        self.custom = Custom()
        self.accelerator.register_for_checkpointing(self.custom)
        for _ in range(seed % 5 + 1):
            self.accelerator.backward(self.model(torch.randn(2, 4)).square().mean())
            self.optimizer.step()
            self.scheduler.step()
            self.optimizer.zero_grad()

    def digests(self) -> dict[str, str]:
        """Return component -> digest of its value now."""
        import numpy as np
        import torch

        scheduler = self.scheduler.state_dict()
        parts = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict()["state"],
            "scheduler": {key: scheduler[key] for key in ("last_epoch", "_last_lr")},
            "custom": self.custom.state_dict(),
            "rng.python": random.getstate(),
            "rng.numpy": np.random.get_state(),
            "rng.torch": torch.get_rng_state(),
        }
        if torch.cuda.is_available():
            parts["rng.cuda"] = torch.cuda.get_rng_state_all()
        parts["step"] = getattr(self.accelerator, "step", None)
        return {name: digest(part) for name, part in parts.items()}


def digest(value: Any) -> str:
    """Return what is equal for equal values, across numpy and torch releases."""

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {str(key): plain(part[key]) for key in sorted(part, key=str)}
        if isinstance(part, (list, tuple)):
            return [plain(item) for item in part]
        return plain(part.tolist()) if hasattr(part, "tolist") else part

    return hashlib.sha256(json.dumps(plain(value)).encode()).hexdigest()[:16]


class Loaded(NamedTuple):
    """One load: digests before and after, and what it raised."""

    before: dict[str, str]
    after: dict[str, str]
    error: str | None


def save(*folders: str) -> dict[str, dict[str, str]]:
    """Save a training state of the folder's kind into each; return the digests."""
    answers = {}
    for folder in map(Path, folders):
        training = Training(7, folder.name == "tied")
        training.accelerator.step = STEP
        answers[folder.name] = training.digests()
        training.accelerator.save_state(str(folder))
    return answers


def load(*folders: str) -> dict[str, Loaded]:
    """Load each folder into another training state, whatever comes of it."""
    answers = {}
    for folder in map(Path, folders):
        training = Training(11, folder.name == "tied")
        before, error = training.digests(), None
        try:
            training.accelerator.load_state(str(folder))
        except Exception as raised:  # noqa: BLE001 - whatever the load raises is the finding
            frame = traceback.extract_tb(raised.__traceback__)[-1]
            place = f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}"
            error = f"{gist(raised)} ({place})"
        answers[folder.name] = Loaded(before, training.digests(), error)
    return answers


def peek(*paths: str) -> dict[str, tuple[str | None, dict[str, str]]]:
    """Read harmless files as accelerate does: what that raises; digests of random states."""
    import torch

    try:
        from accelerate.utils.other import load as native
    except ImportError:  # before RELEASES["weights only"]: torch.load is called
        native = torch.load
    bound_memory(sum(Path(path).stat().st_size for path in paths))
    answers = {}
    for path in map(Path, paths):
        custom = path.name.startswith("custom") and native is not torch.load
        error = None
        try:
            native(str(path), map_location="cpu", **({"weights_only": False} if custom else {}))
        except Exception as raised:  # noqa: BLE001 - whatever it raises is the finding
            error = gist(raised)
        random_states = path.name.startswith("random_states")
        answers[path.name] = (error, saved_random_states(path) if random_states else {})
    return answers


def bound_memory(size: int) -> None:
    """Let this process take no more memory than files of `size` bytes can need: a name that is
    harmless may be called with a number of bytes."""
    try:
        import resource
    except ImportError:  # no Linux
        return
    limit = SPARE_MEMORY + 4 * size
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def saved_random_states(path: Path) -> dict[str, str]:
    """Return component -> digest of what is in the file, read in either numpy's spelling."""
    import numpy as np
    import torch

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if not is_harmless(f"{module}.{name}"):
                raise pickle.UnpicklingError(f"{module}.{name} is not on the allow list")
            known = np.zeros(0).__reduce__()[0] if name == "_reconstruct" else None
            return known or super().find_class(module, name)

    allow_list: Any = types.SimpleNamespace(__name__="allow_list", Unpickler=Unpickler)
    try:
        states = torch.load(str(path), map_location="cpu", pickle_module=allow_list)
    except ImportError:  # torch 1.13 takes its own pickle, which knows one numpy's names
        return {}
    saved = {part: states.get(key, []) for part, key in RANDOM_STATE_KEYS.items()}
    return {part: digest(state) for part, state in saved.items() if state != []}


def gist(error: Exception) -> str:
    """Return an error's type and what matters of its message; torch's are pages long."""
    text = " ".join(re.sub(r"\x1b\[\d*m", "", str(error)).split())
    match = re.search(r"Unsupported (global|class)\S* ?(GLOBAL )?\S+|Can only build .+?>", text)
    return f"{type(error).__name__}: {match.group() if match else text[:200]}"


# In the main process, which imports neither torch nor accelerate.


class CrashError(Exception):
    """A child process ended without an answer; the text is the last that it said."""


def child(action: Callable[..., dict[str, Any]], *paths: Path, **variables: str) -> dict[str, Any]:
    """Return what an action answers in a fresh process of this file; raise if it does not.

    Paths are the action's arguments, `variables` are added to the environment. Tuples come back as
    lists.
    """
    distributed = re.compile(r"(LOCAL_|GROUP_|ROLE_)?(RANK|WORLD_SIZE)$|MASTER_|ACCELERATE_")
    clean = {key: value for key, value in os.environ.items() if not distributed.match(key)}
    script = os.path.abspath(__file__)  # noqa: PTH100
    done = subprocess.run(
        [sys.executable, script, "--child", action.__name__, *map(str, paths)],
        env={**clean, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("doctor:")]
    if not lines:
        raise CrashError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return dict(json.loads(lines[-1][7:]))


def versions() -> dict[str, str]:
    """Return the installed releases, without importing them."""
    found = {"python": platform.python_version(), "executable": sys.executable}
    for name in ("accelerate", "torch", "numpy", "safetensors", "transformers", "diffusers"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def verdicts(truth: dict[str, str], loaded: Loaded) -> dict[str, str]:
    """Return component -> `restored`, `lost` (as before the load) or `wrong`."""

    def verdict(name: str) -> str:
        if loaded.after[name] == truth[name]:
            return "restored"
        return "lost" if loaded.after[name] == loaded.before[name] else "wrong"

    return {name: verdict(name) for name in truth if name in loaded.after}


class Trial(NamedTuple):
    """What comes back of a checkpoint that this environment saved itself."""

    files: list[str]
    error: str | None
    components: dict[str, str]  # -> verdict


def try_own(scratch: Path) -> dict[str, Trial]:
    """Save and load a checkpoint of each kind, in folders of `scratch`."""
    folders = [scratch / kind for kind in KINDS]
    truth, answers = child(save, *folders), child(load, *folders)
    trials = {}
    for folder in folders:
        loaded = Loaded(*answers[folder.name])
        files = sorted(path.name for path in folder.iterdir())
        components = verdicts(truth[folder.name], loaded)
        trials[folder.name] = Trial(files, loaded.error, components)
    return trials


# What will go wrong with a directory here.


@dataclass(frozen=True)
class Here:
    """This environment, as far as it is known."""

    releases: str  # in words, as a cause
    own: dict[str, Trial]
    scratch: Path  # the folder of its own checkpoints


@dataclass(frozen=True)
class PickledFile:
    """A file of the directory: why it was not read, or how reading it ended."""

    path: Path
    damage: str = ""  # completes `FILE is`
    unknown: tuple[str, ...] = ()  # what it names that may run something
    error: str | None = None  # what reading it as accelerate does raised
    truth: dict[str, str] = field(default_factory=dict)  # digests of the random states in it
    dead: bool = True  # whether nothing in it can run, though it was not read

    @property
    def refusal(self) -> str:
        """Why it was not read; empty if it was."""
        if self.damage:
            return f"is {self.damage}"
        names = ", ".join(self.unknown[:4])
        return f"names {names}; not loaded, so that nothing unknown runs" if names else ""


def examine(directory: Path, here: Here) -> list[Finding]:
    """Return what will go wrong with a directory, which is only read."""
    paths = sorted(directory.iterdir())
    files = {path.name: path for path in paths if path.is_file() and path.name.isprintable()}
    if not any(name.startswith(MARKS) for name in files):
        kind = "those of transformers' Trainer" if "trainer_state.json" in files else "others"
        remedy = "give the directory that holds optimizer.bin"
        what = "no accelerate checkpoint"
        return [Finding("raises", what, f"its files are {kind}", remedy)]
    pickled = read_pickled(
        [path for name, path in sorted(files.items()) if PICKLED.fullmatch(name)]
    )
    findings = weights_findings(files, here.own) + missing_findings(files)
    for name, file in pickled.items():
        if not name.startswith("random_states"):  # those are loaded for real
            findings += pickled_findings(file, here)
    missing = PickledFile(directory / RANDOM_STATES, damage="missing")
    return findings + random_states_findings(pickled.get(RANDOM_STATES, missing), here)


def read_pickled(paths: list[Path]) -> dict[str, PickledFile]:
    """Look through each file; read those that are harmless, in a child process."""
    files = {path.name: look_through(path) for path in paths}
    readable = [file.path for file in files.values() if not file.refusal]
    for name, (error, truth) in peeked(readable).items():
        files[name] = replace(files[name], error=error, truth=truth)
    return files


def peeked(readable: list[Path]) -> dict[str, Any]:
    """Return what `peek` answers; where its process dies, that is the answer for each file."""
    if not readable:
        return {}
    try:
        return child(peek, *readable)
    except CrashError as error:
        if len(readable) == 1:
            return {readable[0].name: (f"the process died ({error})", {})}
    return {name: answer for path in readable for name, answer in peeked([path]).items()}


def look_through(path: Path) -> PickledFile:
    """Find out what a file's pickle names, in order, without running it."""
    try:
        with path.open("rb") as file:
            try:
                sizes = archive_records(file)
            except ValueError as error:
                if path.stat().st_size and not str(error).startswith("damaged: truncated"):
                    damage = "damaged, or no archive of the kind that torch.save writes"
                    return PickledFile(path, damage, dead=is_dead(path))
                raise
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                (inner,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
                if archive.testzip():
                    raise ValueError("a record does not match its checksum")
                if archive.getinfo(inner).file_size > LONGEST_PICKLE:
                    raise ValueError("its pickle is too large to be looked through")
                data = archive.read(inner)
        found: dict[str, None] = {}
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count > MOST_OPCODES:
                raise ValueError(f"its pickle has more than {MOST_OPCODES} opcodes")
            if opcode.name == "GLOBAL":
                found[str(argument).replace(" ", ".")] = None
            elif opcode.name in _NEVER_WRITTEN:
                found[f"something by {opcode.name}, which torch.save never writes"] = None
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        empty = path.stat().st_size == 0
        damage = "empty (0 bytes)" if empty else f"truncated or damaged ({error})"
        return PickledFile(path, damage, dead=is_dead(path))
    unknown = tuple(name for name in found if not is_harmless(name))
    return PickledFile(path, unknown=unknown or forged(data, sizes))


def is_dead(path: Path) -> bool:
    """Return whether no reader can make anything of a file, so that it can be tried to be loaded:
    a zip without any end record; otherwise neither a tar, which torch tries first, nor a pickle."""
    with path.open("rb") as file:
        head = file.read(512)
        file.seek(max(0, path.stat().st_size - (1 << 16) - 22))
        if head[:4] == b"PK\3\4":
            return b"PK\5\6" not in file.read()
    codes = {opcode.code for opcode in pickletools.opcodes}
    with contextlib.suppress(tarfile.HeaderError):
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
        return False
    return not head or head[:1].decode("latin-1") not in codes


_NEVER_WRITTEN = frozenset(
    ("INST", "OBJ", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "FRAME", "NEWOBJ_EX", "PERSID", "INT")
)
"""Opcodes that torch.save does not write, and by which a pickle is read in more than one way."""

# What the names in a pickle are called with. A name that only holds values still kills torch, or
# takes all memory, when it is called with arguments that no checkpoint has (`resume.py` and
# `ckptmatrix inspect` hold calls against the same forms).


class ForgedError(Exception):
    """A pickle calls something as no checkpoint does; the text says what."""


class Named:
    """What a pickle names: never imported, and when it is called, only compared with its form."""

    def __init__(self, name: str) -> None:
        self.name = name.replace("__builtin__.", "builtins.")

    def __call__(self, *arguments: Any) -> Made:
        """Return what stands for the result; raise ForgedError for arguments in no known form."""
        form = FORMS.get(self.name)
        try:
            right = form is not None and form(*arguments)
        except (TypeError, AttributeError, ValueError):
            right = False
        if not right:
            raise ForgedError(f"{self.name} called as no checkpoint does")
        return Made(self.name, arguments)


class Made:
    """What a call makes, or a storage; only containers take anything in."""

    def __init__(self, name: str, arguments: tuple[Any, ...] = (), size: int = 0) -> None:
        self.name, self.arguments, self.size = name, arguments, size

    def take(self, *_: Any) -> None:
        """Take something in, and forget it."""
        if self.name not in CONTAINERS:
            raise ForgedError(f"something put into what {self.name} makes")

    append = extend = add = update = __setitem__ = take


FACTORIES = ("int", "float", "list", "dict", "set", "str")
WIDTHS = {
    "DoubleStorage": 8, "LongStorage": 8, "ComplexFloatStorage": 8, "ComplexDoubleStorage": 16,
    "FloatStorage": 4, "IntStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "ShortStorage": 2,
}  # fmt: skip
"""Storage class of torch's -> bytes of an element, where it is more than one."""
CONTAINERS = (
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter",
    "collections.deque", "builtins.set",
)  # fmt: skip
LONGEST_KEY = 100
"""Parts of a key of a dict, or of a member of a set: tuples in tuples can take for ever."""


def is_made(value: Any, *names: str) -> bool:
    """Return whether a value is made by calling one of these names."""
    return isinstance(value, Made) and value.name in names


def is_bytes(value: Any) -> bool:
    """Return whether a value is bytes, in any spelling of a pickle."""
    return isinstance(value, bytes) or is_made(value, "_codecs.encode", "builtins.bytes")


def are_counts(values: Any) -> bool:
    """Return whether a value is the extents, or the strides, of a tensor."""
    return isinstance(values, tuple) and all(type(n) is int and n >= 0 for n in values)


def is_tensor(storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> bool:
    """Return whether a tensor lies within its storage, which torch would make larger for it."""
    if not (is_made(storage, "storage") and are_counts((offset,)) and len(shape) == len(strides)):
        return False
    if not (are_counts(shape) and are_counts(strides)) or len(shape) > 64:
        return False
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides))
    return 0 in shape or last < storage.size


def is_array(kind: Any, shape: Any, _: Any) -> bool:
    """Return whether numpy's array is made empty; what is in it comes as its state."""
    return isinstance(kind, Named) and kind.name == "numpy.ndarray" and bool(shape == (0,))


def is_scalar(dtype: Any, data: Any) -> bool:
    """Return whether a number of numpy's is made of its bytes."""
    return is_made(dtype, "numpy.dtype") and is_bytes(data)


def is_key(value: Any) -> bool:
    """Return whether a value is hashed in no time."""
    pending = [value]
    for _ in range(LONGEST_KEY):
        if not pending:
            return True
        part = pending.pop()
        if isinstance(part, (tuple, frozenset)):
            pending.extend(list(part)[: LONGEST_KEY + 1])
    return not pending


def is_of_keys(*values: Any) -> bool:
    """Return whether a set, or something like it, is made of what can be hashed."""
    return is_of_one(*values) and all(is_key(key) for value in values for key in value)


def is_of_one(*values: Any) -> bool:
    """Return whether a container is made of nothing, or of one list, tuple or dict."""
    return len(values) < 2 and all(isinstance(value, (list, tuple, dict)) for value in values)


FORMS: dict[str, Callable[..., bool]] = {
    "torch._utils._rebuild_tensor": is_tensor,
    "torch._utils._rebuild_tensor_v2": is_tensor,
    "torch._utils._rebuild_tensor_v3": is_tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: is_made(
        tensor, *(f"torch._utils._rebuild_tensor{n}" for n in ("", "_v2", "_v3"))
    ),
    "torch.Size": lambda sizes: are_counts(tuple(sizes)),
    "torch.device": lambda kind, *index: isinstance(kind, str) and are_counts(index),
    "numpy.dtype": lambda code, *_: bool(re.fullmatch(r"[<>=|]?[?biufcSU]\d{0,6}", code)),
    "numpy.core.multiarray._reconstruct": is_array,
    "numpy._core.multiarray._reconstruct": is_array,
    "numpy.core.multiarray.scalar": is_scalar,
    "numpy._core.multiarray.scalar": is_scalar,
    "_codecs.encode": lambda text, encoding: (
        encoding in ("latin1", "latin-1") and isinstance(text, str)
    ),
    "collections.OrderedDict": lambda *pairs: (
        is_of_one(*pairs) and all(is_key(key) for value in pairs for key, _ in value)
    ),
    "collections.Counter": is_of_keys,
    "collections.defaultdict": lambda *factory: (
        len(factory) < 2
        and all(f is None or f.name in ("builtins." + n for n in FACTORIES) for f in factory)
    ),
    "collections.deque": lambda *values: is_of_one(*values[:1]) and len(values) < 3,
    "builtins.set": is_of_keys,
    "builtins.frozenset": is_of_keys,
    "builtins.complex": lambda *parts: all(type(part) in (int, float) for part in parts),
    "builtins.slice": lambda *parts: len(parts) == 3,
    "builtins.bytes": lambda: True,
    "builtins.bytearray": lambda *data: not data or is_bytes(data[0]) or isinstance(data[0], str),
}
"""Harmless name -> whether a call of it is one that a checkpoint makes; any other is none."""

Machine: Any = pickle._Unpickler  # the one written in Python


class Follower(Machine):  # type: ignore[misc]  # Any is its base
    """Pickle's own machine, on things that do nothing."""

    def __init__(self, data: bytes, sizes: dict[str, int]) -> None:
        super().__init__(io.BytesIO(data))
        self.sizes = sizes

    def find_class(self, module: str, name: str) -> Named:
        """Return what stands for a name."""
        return Named(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Made:
        """Return what stands for a storage, if its record can hold it."""
        kind, key, _, count = pid[1:5]
        if (
            pid[0] != "storage"
            or not isinstance(kind, Named)
            or not are_counts((count,))
            or not isinstance(key, str)
        ):
            raise ForgedError("a storage of another kind than torch.save writes")
        width = WIDTHS.get(kind.name.rpartition(".")[2], 1)
        if count * width > self.sizes.get(f"data/{key}", -1):
            raise ForgedError(f"a storage larger than its record data/{key}")
        return Made("storage", size=count)

    def load_build(self) -> None:
        """Leave the state away, where it is one that a checkpoint gives to a new object."""
        state, target = self.stack.pop(), self.stack[-1]
        form = STATES.get(target.name) if isinstance(target, Made) else None
        if form is None or not form(state):
            raise ForgedError("a state for what has none")

    def load_newobj(self) -> None:
        """Refuse: nothing harmless is made by it."""
        raise ForgedError("an object made without being called")


def is_state_of_dtype(state: Any) -> bool:
    """Return whether a state is that of a dtype of numbers or texts, not of fields or objects."""
    version, order, *rest = state
    plain = rest[:3] == [None] * 3 and rest[5] in (0, 8) and len(rest) in (6, 7)
    return version in (3, 4) and order in ("<", ">", "=", "|") and plain


def is_state_of_array(state: Any) -> bool:
    """Return whether a state is shape, dtype and bytes of an array."""
    _, shape, dtype, _, data = state
    return are_counts(shape) and is_made(dtype, "numpy.dtype") and is_bytes(data)


STATES: dict[str, Callable[[Any], bool]] = {
    "collections.OrderedDict": lambda state: isinstance(state, dict),
    "numpy.dtype": is_state_of_dtype,
    "numpy.core.multiarray._reconstruct": is_state_of_array,
    "numpy._core.multiarray._reconstruct": is_state_of_array,
}
"""What may be given a state -> whether one is such as a checkpoint has."""
HASHED: dict[bytes, Callable[[Any], Any]] = {
    pickle.SETITEM: lambda machine: machine.stack[-2:-1],
    pickle.SETITEMS: lambda machine: machine.stack[::2],
    pickle.DICT: lambda machine: machine.stack[::2],
    pickle.ADDITEMS: lambda machine: machine.stack,
    pickle.FROZENSET: lambda machine: machine.stack,
}
"""Opcode that hashes something -> what."""


def hashing(opcode: bytes) -> Callable[[Any], None]:
    """Return the step for such an opcode, for keys that can be hashed."""
    load = Machine.dispatch[opcode[0]]

    def hashed(machine: Any) -> None:
        if not all(map(is_key, HASHED[opcode](machine))):
            raise ForgedError(f"a key of more than {LONGEST_KEY} parts")
        load(machine)

    return hashed


Follower.dispatch = {
    **Machine.dispatch,
    pickle.BUILD[0]: Follower.load_build,
    pickle.NEWOBJ[0]: Follower.load_newobj,
    **{opcode[0]: hashing(opcode) for opcode in HASHED},
}


def forged(data: bytes, sizes: dict[str, int]) -> tuple[str, ...]:
    """Return what a pickle, all names of which are harmless, asks for as no checkpoint does.

    `sizes` are the bytes of the archive's records by name.
    """
    try:
        Follower(data, sizes).load()
    except ForgedError as error:
        return (str(error),)
    except Exception as error:  # noqa: BLE001 - a hostile pickle can be wrong in any way
        return (f"something that is not understood ({type(error).__name__})",)
    return ()


# The archive's layout (resume.py has the same), as `torch.save` writes it and no other: torch's
# reader and others see other records in a file that is made for it.

_RECORD = re.compile(r"data\.pkl|byteorder|version|\.[ -~]+|data/[ -.0-~]+")
_FFFF, _FFFFFFFF = 0xFFFF, 0xFFFFFFFF


def archive_records(file: Any) -> dict[str, int]:
    """Return the size of each record in bytes, by its name without the archive's folder.

    Raise ValueError, which completes `FILE is`, for any other layout.
    """
    size = file.seek(0, 2)

    def at(offset: int, form: str) -> tuple[Any, ...]:
        file.seek(offset)
        return struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))

    def require(right: bool) -> None:
        if not right:
            raise ValueError("another layout")

    records: dict[str, int] = {}
    known: set[str] = set()
    mark = b""
    try:
        border = size - 22
        mark, disk, disk_2, here, count, length, offset, comment = at(border, "4s4H2IH")
        require((mark, disk, disk_2, comment) == (b"PK\5\6", 0, 0, 0) and here == count)
        if at(border - 20, "4s") == (b"PK\6\7",):
            old, border = (count, length, offset), border - 76
            sign, rest, _, disk, disk_2, here, count, length, offset = at(border, "4sQI2I4Q")
            require((sign, rest, disk, disk_2) == (b"PK\6\6", 44, 0, 0) and here == count)
            require(at(border + 56, "4sIQI") == (b"PK\6\7", 0, border, 1))
            pairs = zip(old, (count, length, offset), (_FFFF, _FFFFFFFF, _FFFFFFFF))
            require(all(value in (wide, none) for value, wide, none in pairs))
        require(offset + length == border)
        here, place, folder = 0, offset, ""
        while place < border:
            entry = at(place, "4s6H3I5H2I")
            sign, _, _, flags, method, _, _, crc, packed, length, named = entry[:11]
            extra, comment, disk, _, _, begin = entry[11:]
            require((sign, method, comment, disk) == (b"PK\1\2", 0, 0, 0) and not flags & ~0x808)
            name, more = at(place + 46, f"{named}s{extra}s")
            place += 46 + named + extra
            wide = _FFFFFFFF in (packed, length, begin)
            if wide:
                packed, length, begin = _wide(more, packed, length, begin)
            text = name.decode("ascii")
            folder = folder or text.partition("/")[0]
            record = text[len(folder) + 1 :]
            require(text == f"{folder}/{record}" and bool(_RECORD.fullmatch(record)))
            require(record.lower() not in known and packed == length >= 0 and begin == here)
            local = at(here, "4s5H3I2H")
            narrow = min(length, _FFFFFFFF)
            sizes = [(crc, narrow, narrow), (crc, _FFFFFFFF, _FFFFFFFF)]
            sizes += [(0, 0, 0), (0, _FFFFFFFF, _FFFFFFFF)] if flags & 8 else []
            require((local[0], local[2], local[3]) == (b"PK\3\4", flags, 0))
            require(local[6:9] in sizes and at(here + 30, f"{local[9]}s") == (name,))
            here += 30 + local[9] + local[10] + length
            if flags & 8:
                short = length < _FFFFFFFF + 1 and at(here, "4s3I") == (
                    (b"PK\7\10", crc, length, length)
                )
                require(short or at(here, "4sI2Q") == (b"PK\7\10", crc, length, length))
                here += 16 if short else 24
            known.add(record.lower())
            records[record] = length
        require(here == offset and place == border and len(records) == count)
        require("data.pkl" in records and records.get("byteorder", 6) == 6)
    except (struct.error, ValueError, OSError) as error:
        file.seek(0)
        what = "an archive of another kind than torch.save writes"
        if file.read(4) != b"PK\3\4":
            what = "damaged or not written by torch 1.6 or newer"
        elif mark != b"PK\5\6":
            what = f"damaged: truncated, or {what}"
        raise ValueError(what) from error
    return records


def _wide(extra: bytes, *values: int) -> list[int]:
    """Return the sizes and the place of an entry, those of 64 bits from its extra fields."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        if kind == 1:
            found = iter(struct.unpack(f"<{length // 8}Q", extra[4 : 4 + length // 8 * 8]))
            packed, size, place = values
            size = next(found, -1) if size == _FFFFFFFF else size
            packed = next(found, -1) if packed == _FFFFFFFF else packed
            return [packed, size, next(found, -1) if place == _FFFFFFFF else place]
        extra = extra[4 + length :]
    return [-1, -1, -1]


def is_harmless(name: str) -> bool:
    """Return whether a global may be named by a file that is loaded here."""
    name = name.replace("__builtin__.", "builtins.")  # as Python 2 spells it
    return name in HARMLESS_NAMES or TORCH_TYPES.fullmatch(name) is not None


def weights_findings(files: dict[str, Path], own: dict[str, Trial]) -> list[Finding]:
    """Return what will go wrong with the models' weights."""
    findings = []
    has_safe, knows_safe = SAFE_WEIGHTS in files, SAFE_WEIGHTS in own["plain"].files
    if has_safe and not knows_safe and PICKLED_WEIGHTS not in files:
        cause = f"this release looks for {PICKLED_WEIGHTS} alone; safetensors came with "
        cause += RELEASES["safetensors"]
        what = f"load_state raises FileNotFoundError for {PICKLED_WEIGHTS}"
        findings.append(Finding("raises", what, cause, f"{REPAIR}; {LOADER}"))
    if has_safe and knows_safe and own["tied"].components["model"] != "restored":
        what = "load_state raises (missing keys), if the model ties weights"
        cause = "seen here: this release can't load its own tied weights from safetensors"
        findings.append(Finding("possible", what, cause, f"{LOADER}; {REPAIR} with --tied"))
    for name, path in files.items():
        if name.endswith(".safetensors") and not is_whole(path):
            what = f"{name} is truncated or damaged"
            remedy = "copy it again, or take an earlier checkpoint"
            findings.append(Finding("raises", what, "an interrupted save or copy", remedy))
    return findings


def is_whole(path: Path) -> bool:
    """Return whether a safetensors file is as long as its header says."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            text = file.read(length) if length <= LONGEST_HEADER else b""
            header = json.loads(text, object_pairs_hook=each_once)
            ends = [entry["data_offsets"][1] for n, entry in header.items() if n != "__metadata__"]
            return bool(8 + length + max(ends, default=0) == path.stat().st_size)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return False


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; of a key that is there twice, programs take one or the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def missing_findings(files: dict[str, Path]) -> list[Finding]:
    """Return what will go wrong if the script prepares what has no file."""
    unprepared = "the script prepared none"
    overlooked = (
        f"{unprepared}, or accelerate before {RELEASES['schedulers seen']}, or from "
        f"{RELEASES['schedulers overlooked']} to before {RELEASES['schedulers seen for good']}, "
        "saved none on torch 2"
    )
    needed = {
        OPTIMIZER: (unprepared, "none"),
        SCHEDULER: (overlooked, "`ckptmatrix repair` has --scheduler-step N"),
    }
    what = "FileNotFoundError for {}, if the script prepares one"
    missing = [name for name in needed if name not in files]
    return [Finding("possible", what.format(name), *needed[name]) for name in missing]


def pickled_findings(file: PickledFile, here: Here) -> list[Finding]:
    """Return what will go wrong with a pickled file."""
    name = file.path.name
    if file.unknown:
        return [Finding("unknown", f"{name} {file.refusal}", "see there", LOADER)]
    if file.damage:
        return [Finding("raises", f"{name} {file.refusal}", "see there", LOADER)]
    if file.error:
        remedy = LOADER if name.startswith("custom") else f"{REPAIR}; {LOADER}"
        what = f"load_state raises for {name}: {file.error}"
        return [Finding("raises", what, here.releases, remedy)]
    return []


def random_states_findings(file: PickledFile, here: Here) -> list[Finding]:
    """Load the directory's random states for real; return what goes wrong."""
    if "MemoryError" in (file.error or ""):
        what = f"reading {file.path.name} takes many times its size; not loaded"
        return [Finding("unknown", what, "accelerate does not write such", LOADER)]
    if file.unknown or not file.dead:
        what = f"{file.path.name} {file.refusal}"
        if not file.unknown:
            what += "; not loaded, so that nothing unknown runs"
        return [Finding("unknown", what, "accelerate does not write such", LOADER)]
    folder = own_checkpoint_with(file, here.scratch)
    try:
        loaded = Loaded(*child(load, folder)[folder.name])
    except CrashError as died:
        what = f"load_state dies of {file.path.name}: {died}"
        return [Finding("raises", what, here.releases, LOADER)]
    error = None if "custom checkpoints" in (loaded.error or "") else loaded.error
    lost = [part for part, verdict in verdicts(file.truth, loaded).items() if verdict != "restored"]
    if file.truth and not lost and not error:
        return []
    cause, remedy = why_lost(file, lost, error, folder, here)
    if error:
        return [Finding("raises", f"load_state raises {error}", cause, remedy)]
    gone = ", ".join(lost) if file.truth else "all random states and step"
    return [Finding("silent", f"not restored, without an error: {gone}", cause, remedy)]


def why_lost(
    file: PickledFile, lost: list[str], error: str | None, folder: Path, here: Here
) -> tuple[str, str]:
    """Return cause and remedy where random states in `folder` are lost or raise."""
    name, release = file.path.name, RELEASES["step saved"]
    read_error = f"{here.releases}: {file.error}" if file.error else ""
    if not file.truth:
        remedy = "the random states can't be made up; `ckptmatrix repair` has --step N for step"
        return f"{name} {file.refusal}" if file.refusal else read_error, remedy
    if not lost and "step" not in file.truth:
        return f"no step in {name}: saved before accelerate {release}", f"{REPAIR}; {LOADER}"
    if lost == ["step"] and not error:
        return f"accelerate restores step from {release} on", LOADER
    remedy = f"{REPAIR}; {LOADER}"
    free: Any = None
    with contextlib.suppress(CrashError):
        free = child(load, folder, TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD="1")[folder.name]
    if free and set(verdicts(file.truth, Loaded(*free)).values()) == {"restored"}:
        remedy += "; or run with TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1, if you trust its origin"
    return read_error, remedy


def own_checkpoint_with(file: PickledFile, scratch: Path) -> Path:
    """Return a copy of this environment's own checkpoint that has the file for random states."""
    folder = scratch / "graft"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(scratch / "plain", folder)
    (folder / RANDOM_STATES).unlink()
    if file.path.is_file():
        shutil.copyfile(file.path, folder / RANDOM_STATES)
    for other in folder.glob("custom_checkpoint_0.pkl"):
        other.unlink()  # has findings of its own, and is loaded after these
    return folder


# Command line.


def main() -> int:
    """Run as a child, or answer."""
    if sys.argv[1:2] == ["--child"]:
        actions: dict[str, Any] = {"save": save, "load": load, "peek": peek}
        print("\ndoctor:" + json.dumps(actions[sys.argv[2]](*sys.argv[3:])))
        return 0
    parser = argparse.ArgumentParser(
        prog="doctor.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", nargs="?", metavar="DIR", help="a checkpoint of save_state")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    options = parser.parse_args()
    if options.directory and not Path(options.directory).is_dir():
        parser.error(f"{options.directory} is not a directory")
    with tempfile.TemporaryDirectory(prefix="doctor-") as scratch:
        answer = answer_for(options.directory, Path(scratch))
    print(json.dumps(answer, indent=2) if options.json else text(answer))
    if "crash" in answer["own"]:
        return 3
    findings = (answer["directory"] or answer["own"])["findings"]
    return 1 if any(item["effect"] != "possible" for item in findings) else 0


def answer_for(directory: str | None, scratch: Path) -> dict[str, Any]:
    """Return the answer as it stands in JSON (docs/doctor.md)."""
    found = versions()
    try:
        own = try_own(scratch)
    except CrashError as error:
        return {"versions": found, "own": {"crash": str(error)}, "directory": None}
    releases = ", ".join(f"{name} {found.get(name)}" for name in ("accelerate", "torch", "numpy"))
    here = Here(releases, own, scratch)
    trials = {kind: trial._asdict() for kind, trial in own.items()}
    findings = [finding._asdict() for finding in examine(scratch / "plain", here)]
    answer = {"versions": found, "own": {**trials, "findings": findings}, "directory": None}
    if directory:
        findings = [finding._asdict() for finding in examine(Path(directory), here)]
        answer["directory"] = {"path": directory, "findings": findings}
    return answer


def text(answer: dict[str, Any]) -> str:
    """Return the answer for people."""
    lines = [f"  {name:<12} {version}" for name, version in answer["versions"].items()]
    lines.insert(0, "This environment")
    own = answer["own"]
    if "crash" in own:
        remedy = "run it with the python that trains: /path/to/python doctor.py"
        return "\n".join([*lines, "", f"accelerate can't be run here: {own['crash']}", remedy])
    for kind, title in KINDS.items():
        lines += ["", f"Its own checkpoint ({title}), loaded in a fresh process"]
        lines.append(f"  {', '.join(own[kind]['files'])}")
        if own[kind]["error"]:
            lines.append(f"  load_state raises {own[kind]['error']}")
        shown = own[kind]["components"].items()
        lines += [f"  {n:<12} {verdict}" for n, verdict in shown if kind == "plain" or n == "model"]
    lines += as_lines(own["findings"]) or ["", "Nothing is lost here."]
    checked = answer["directory"]
    if checked:
        lines += ["", f"{checked['path']} in this environment"]
        lines += as_lines(checked["findings"]) or ["  resumes: nothing in it is lost here"]
    return "\n".join(lines)


def as_lines(findings: list[dict[str, Any]]) -> list[str]:
    """Return findings as indented lines."""
    form = "  {effect}: {what}\n      cause:  {cause}\n      remedy: {remedy}"
    return [form.format(**finding) for finding in findings]


if __name__ == "__main__":
    sys.exit(main())
