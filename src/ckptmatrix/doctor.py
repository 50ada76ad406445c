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
import json
import os
import pickle
import pickletools
import platform
import random
import re
import shutil
import subprocess
import sys
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

    @property
    def refusal(self) -> str:
        """Why it was not read; empty if it was."""
        if self.damage:
            return f"is {self.damage}"
        names = ", ".join(self.unknown[:4])
        return f"names {names}; not loaded, so that nothing unknown runs" if names else ""


def examine(directory: Path, here: Here) -> list[Finding]:
    """Return what will go wrong with a directory, which is only read."""
    files = {path.name: path for path in directory.iterdir() if path.is_file()}
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
    for name, (error, truth) in (child(peek, *readable) if readable else {}).items():
        files[name] = replace(files[name], error=error, truth=truth)
    return files


def look_through(path: Path) -> PickledFile:
    """Find out what a file's pickle names, in order, without running it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            inner = [name for name in names if name.endswith("data.pkl")]
            odd = any(name.endswith("constants.pkl") for name in names) or len(inner) != 1
            if odd or archive.testzip() or path.open("rb").read(4) != b"PK\3\4":
                damage = "damaged, or no archive of the kind that torch.save writes"
                return PickledFile(path, damage)
            data = archive.read(inner[0])
        found: dict[str, None] = {}
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "GLOBAL":
                found[str(argument).replace(" ", ".")] = None
            elif opcode.name in ("INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
                found[f"something by {opcode.name}, which torch.save never writes"] = None
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        empty = path.stat().st_size == 0
        return PickledFile(path, "empty (0 bytes)" if empty else f"truncated or damaged ({error})")
    return PickledFile(path, unknown=tuple(name for name in found if not is_harmless(name)))


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
            header = json.loads(file.read(length) if length < 1 << 30 else b"")
            ends = [entry["data_offsets"][1] for n, entry in header.items() if n != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
    return bool(8 + length + max(ends, default=0) == path.stat().st_size)


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
    if file.unknown:
        what = f"{file.path.name} {file.refusal}"
        return [Finding("unknown", what, "accelerate does not write such", LOADER)]
    folder = own_checkpoint_with(file, here.scratch)
    loaded = Loaded(*child(load, folder)[folder.name])
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
    free = child(load, folder, TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD="1")[folder.name]
    if set(verdicts(file.truth, Loaded(*free)).values()) == {"restored"}:
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
