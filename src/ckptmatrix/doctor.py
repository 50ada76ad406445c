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
from pathlib import Path
from typing import Any

# Facts about checkpoints, each in this one place.

FILE_NAMES: dict[str, tuple[str, ...]] = {
    "model": ("model[_N].safetensors", "pytorch_model[_N].bin"),
    "optimizer": ("optimizer[_N].bin",),
    "scheduler": ("scheduler[_N].bin",),
    "scaler": ("scaler.pt",),
    "dataloader": ("dl_state_dict[_N].bin",),
    "rng": ("random_states_N.pkl",),
    "custom": ("custom_checkpoint_N.pkl",),
}
"""Component -> the names that accelerate gives to its files. `N` counts from 0: it is the number of
the object, of the process for `rng`. `[_N]` is left out for 0 (accelerate's utils/constants.py)."""

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
    "builtins.list", "builtins.dict",
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter",
    "collections.deque",
    "torch.Size", "torch.device", "torch.nn.parameter.Parameter",
    "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter",
    "torch.storage.UntypedStorage",
    "_codecs.encode", "numpy.dtype", "numpy.ndarray",
    "numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar",
)  # fmt: skip
"""What a file may name to be loaded here, beside torch's storages and dtypes. numpy spells its own
names in one way before and in another since numpy 2."""

RELEASES = {
    "schedulers seen": "0.15.0",
    "schedulers overlooked again": "0.16.0",
    "schedulers seen for good": "0.17.0",
    "safetensors": "0.25.0",
    "step saved": "0.32.0",
    "weights only": "1.1.0",
}
"""What changed in accelerate -> the first release that has it (schedulers: those of torch 2)."""

HARMLESS = re.compile(
    "|".join(re.escape(name) for name in HARMLESS_NAMES).replace(
        "builtins", "(__builtin__|builtins)"
    )
    + r"|torch\.(\w*Storage|(b?float|u?int|complex)\d+\w*|bool)"
)
NUMPY = re.compile(r"numpy\.(_?core)\.multiarray\._reconstruct")
PICKLED = re.compile(
    "|".join(
        re.escape(template).replace(r"\[_N\]", r"(_\d+)?").replace("N", r"\d+")
        for component, templates in FILE_NAMES.items()
        for template in templates
        if component != "model"
    )
)
REPAIR = "`ckptmatrix repair DIR NEW` writes a copy that loads here"
LOADER = "ckptmatrix.resume.load_state(accelerator, DIR) restores it as it is"
STEP = 360
KINDS = ("plain", "tied")


# In a process of its own: save, or load and compare.


def build(seed: int, tied: bool) -> tuple[Any, Any, Any, Any, Any]:
    """A small training state; every seed gives another one."""
    import numpy as np
    import torch
    from accelerate import Accelerator

    class Custom:
        """What `register_for_checkpointing` is used for: EMA weights, counters, histories."""

        def __init__(self) -> None:
            self.state = {"weights": torch.full((3,), float(seed)), "history": np.arange(4) + seed}

        def state_dict(self) -> dict[str, Any]:
            return self.state

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.state = state

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    accelerator = Accelerator(cpu=True)
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 4, bias=False)
    )
    if tied:
        model[1].weight = model[0].weight
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1 / seed)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)
    custom = Custom()
    accelerator.register_for_checkpointing(custom)
    for _ in range(seed % 5 + 1):
        accelerator.backward(model(torch.randn(2, 4)).square().mean())
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    return accelerator, model, optimizer, scheduler, custom


def digest(value: Any) -> str:
    """Equal for equal values, across numpy and torch releases."""

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {str(key): plain(part[key]) for key in sorted(part, key=str)}
        if isinstance(part, (list, tuple)):
            return [plain(item) for item in part]
        return plain(part.tolist()) if hasattr(part, "tolist") else part

    return hashlib.sha256(json.dumps(plain(value)).encode()).hexdigest()[:16]


def random_states() -> dict[str, Any]:
    """The random states of this process, by component."""
    import numpy as np
    import torch

    states = {
        "rng.python": random.getstate(),
        "rng.numpy": np.random.get_state(),
        "rng.torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["rng.cuda"] = torch.cuda.get_rng_state_all()
    return states


def components(state: tuple[Any, Any, Any, Any, Any]) -> dict[str, str]:
    """Digest of every component."""
    accelerator, model, optimizer, scheduler, custom = state
    parts = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict()["state"],
        "scheduler": {k: scheduler.state_dict()[k] for k in ("last_epoch", "_last_lr")},
        "custom": custom.state_dict(),
        **random_states(),
        "step": getattr(accelerator, "step", None),
    }
    return {name: digest(part) for name, part in parts.items()}


def save(folder: str) -> dict[str, Any]:
    """Save a state of either kind; what was true when they were saved."""
    answer: dict[str, Any] = {}
    for kind in KINDS:
        state = build(7, kind == "tied")
        state[0].step = STEP
        answer[kind] = {"truth": components(state)}
        state[0].save_state(f"{folder}/{kind}")
        answer[kind]["files"] = sorted(path.name for path in Path(folder, kind).iterdir())
    return answer


def load(*folders: str) -> dict[str, Any]:
    """Load states into others, whatever comes of it."""
    answer = {}
    for folder in folders:
        state = build(11, Path(folder).name == "tied")
        one: dict[str, Any] = {"before": components(state), "error": None}
        try:
            state[0].load_state(folder)
        except Exception as error:  # noqa: BLE001 - whatever the load raises is the finding
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}"
            one["error"] = f"{type(error).__name__}: {gist(error)} ({place})"
        one["after"] = components(state)
        answer[Path(folder).name] = one
    return answer


def gist(error: Exception) -> str:
    """The telling part of a message; torch's are pages long."""
    text = " ".join(re.sub(r"\x1b\[\d*m", "", str(error)).split())
    match = re.search(r"Unsupported (global|class)\S* ?(GLOBAL )?\S+|Can only build .+?>", text)
    return match.group() if match else text[:200]


def peek(*paths: str) -> dict[str, Any]:
    """How accelerate's own way of reading each file ends here, and the truth of random states.

    Only for files that name nothing but what is harmless.
    """
    import torch

    try:
        from accelerate.utils.other import load as native
    except ImportError:  # before 1.1.0, which call torch.load
        native = torch.load
    answer: dict[str, Any] = {}
    for path in paths:
        name = Path(path).name
        custom = name.startswith("custom") and native is not torch.load
        answer[name] = {"error": None, "truth": {}}
        try:
            native(path, map_location="cpu", **({"weights_only": False} if custom else {}))
        except Exception as error:  # noqa: BLE001 - whatever it raises is the finding
            answer[name]["error"] = f"{type(error).__name__}: {gist(error)}"
        if name.startswith("random_states"):
            try:
                states = torch.load(path, map_location="cpu", pickle_module=allow_list())
            except ImportError:  # torch 1.13 takes its own pickle, which knows one numpy's names
                continue
            saved = {
                part: states[key]
                for part, key in RANDOM_STATE_KEYS.items()
                if states.get(key, []) != []
            }
            answer[name]["truth"] = {part: digest(state) for part, state in saved.items()}
    return answer


def allow_list() -> Any:
    """A pickle module that imports nothing but what is harmless, in either numpy's spelling."""
    import numpy as np

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if not HARMLESS.fullmatch(f"{module}.{name}"):
                raise pickle.UnpicklingError(f"{module}.{name} is not on the allow list")
            if NUMPY.fullmatch(f"{module}.{name}"):
                return np.zeros(0).__reduce__()[0]
            return super().find_class(module, name)

    return types.SimpleNamespace(__name__="allow_list", Unpickler=Unpickler)


# In the main process, which imports neither torch nor accelerate.


def child(*arguments: str, **variables: str) -> dict[str, Any]:
    """Answer of a fresh process of this file, with environment variables added."""
    clean = {
        key: value
        for key, value in os.environ.items()
        if not re.match(r"(LOCAL_|GROUP_|ROLE_)?(RANK|WORLD_SIZE)$|MASTER_|ACCELERATE_", key)
    }
    clean.update(variables)
    command = [sys.executable, os.path.abspath(__file__), "--child", *arguments]  # noqa: PTH100
    done = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("doctor:")]
    if lines:
        return dict(json.loads(lines[-1][7:]))
    reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return {"crash": reason}


def versions() -> dict[str, str]:
    """Installed releases, without importing them."""
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:
        return {}
    found = {"python": platform.python_version(), "executable": sys.executable}
    for name in ("accelerate", "torch", "numpy", "safetensors", "transformers", "diffusers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def compare(truth: dict[str, str], answer: dict[str, Any]) -> dict[str, str]:
    """Component -> `restored`, `lost` (as before the load) or `wrong`."""
    after, before = answer["after"], answer["before"]
    return {
        name: "restored"
        if after[name] == value
        else "lost"
        if after[name] == before[name]
        else "wrong"
        for name, value in truth.items()
        if name in after
    }


def probe(folder: Path) -> dict[str, Any]:
    """What this environment loses of its own checkpoints, by kind."""
    saved = child("save", str(folder))
    loaded = saved if "crash" in saved else child("load", *(str(folder / kind) for kind in KINDS))
    if "crash" in loaded:
        return loaded
    return {
        kind: {
            "files": saved[kind]["files"],
            "error": loaded[kind]["error"],
            "components": compare(saved[kind]["truth"], loaded[kind]),
        }
        for kind in KINDS
    }


def names_in(path: Path) -> list[str] | str:
    """Globals that a file's pickle names, in order; or what is wrong with the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            inner = [name for name in names if name.endswith("data.pkl")]
            odd = any(name.endswith("constants.pkl") for name in names) or len(inner) != 1
            if odd or archive.testzip() or path.open("rb").read(4) != b"PK\3\4":
                return "damaged, or no archive of the kind that torch.save writes"
            data = archive.read(inner[0])
        found: dict[str, None] = {}
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "GLOBAL":
                found[str(argument).replace(" ", ".")] = None
            elif opcode.name in ("INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
                found[f"something by {opcode.name}, which torch.save never writes"] = None
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        return f"truncated or damaged ({error})" if path.stat().st_size else "empty (0 bytes)"
    return list(found)


def finding(effect: str, what: str, cause: str, remedy: str) -> dict[str, str]:
    """One thing that will go wrong; `effect` is raises, silent, unknown or possible."""
    return {"effect": effect, "what": what, "cause": cause, "remedy": remedy}


def examine(
    directory: Path, own: dict[str, Any], scratch: Path, found: dict[str, str]
) -> list[dict[str, str]]:
    """What will go wrong with a directory in this environment."""
    files = {path.name: path for path in directory.iterdir() if path.is_file()}
    if not any(re.match(r"optimizer|random_states|scheduler\.bin", name) for name in files):
        kind = "those of transformers' Trainer" if "trainer_state.json" in files else "others"
        remedy = "give the directory that holds optimizer.bin"
        return [finding("raises", "no accelerate checkpoint", f"its files are {kind}", remedy)]
    names = ("accelerate", "torch", "numpy")
    here = ", ".join(f"{name} {found.get(name)}" for name in names)
    findings = _weights(files, own)
    for name in sorted({"optimizer.bin", "scheduler.bin"} - set(files)):
        why = "the script prepared none, or accelerate up to 0.14, or 0.16, saved none on torch 2"
        remedy = "`ckptmatrix repair` has --scheduler-step N" if name[0] == "s" else "none"
        what = f"FileNotFoundError for {name}, if the script prepares one"
        findings.append(finding("possible", what, why, remedy))
    pickled = {name: path for name, path in sorted(files.items()) if PICKLED.fullmatch(name)}
    told = {name: _unreadable(path) for name, path in pickled.items()}
    readable = [str(path) for name, path in pickled.items() if not told[name]]
    peeked = child("peek", *readable) if readable else {}
    for name in pickled:
        if name.startswith("random_states"):
            continue
        if told[name]:
            effect = "unknown" if "names" in told[name] else "raises"
            findings.append(finding(effect, f"{name} {told[name]}", "see there", LOADER))
        elif peeked[name]["error"]:
            what = f"load_state raises for {name}: {peeked[name]['error']}"
            remedy = LOADER if name.startswith("custom") else f"{REPAIR}; {LOADER}"
            findings.append(finding("raises", what, here, remedy))
    first = "random_states_0.pkl"
    unreadable = told.get(first, "is missing")
    truth = peeked[first]["truth"] if not unreadable else {}
    cause = unreadable and f"{first} {unreadable}"
    if not unreadable and peeked[first]["error"]:
        cause = f"{here}: {peeked[first]['error']}"
    if unreadable.startswith("names"):
        return [*findings, finding("unknown", cause, "accelerate does not write such", LOADER)]
    return findings + _random(files.get(first), truth, cause, scratch, own)


def _weights(files: dict[str, Path], own: dict[str, Any]) -> list[dict[str, str]]:
    findings = []
    knows_safe = "model.safetensors" in own["plain"]["files"]
    has_safe, has_bin = "model.safetensors" in files, "pytorch_model.bin" in files
    if has_safe and not knows_safe and not has_bin:
        cause = "this release looks for pytorch_model.bin alone; safetensors came with "
        cause += RELEASES["safetensors"]
        what = "load_state raises FileNotFoundError for pytorch_model.bin"
        findings.append(finding("raises", what, cause, f"{REPAIR}; {LOADER}"))
    if has_safe and knows_safe and own["tied"]["components"]["model"] != "restored":
        what = "load_state raises (missing keys), if the model ties weights"
        cause = "seen here: this release can't load its own tied weights from safetensors"
        findings.append(finding("possible", what, cause, f"{LOADER}; {REPAIR} with --tied"))
    for name, path in files.items():
        if name.endswith(".safetensors") and not _whole(path):
            what = f"{name} is truncated or damaged"
            remedy = "copy it again, or take an earlier checkpoint"
            findings.append(finding("raises", what, "an interrupted save or copy", remedy))
    return findings


def _whole(path: Path) -> bool:
    """Whether a safetensors file is as long as its header says."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(length) if length < 1 << 30 else b"")
            ends = [entry["data_offsets"][1] for n, entry in header.items() if n != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
    return bool(8 + length + max(ends, default=0) == path.stat().st_size)


def _unreadable(path: Path) -> str:
    """Why a pickled file is not to be loaded here; empty if it can be."""
    names = names_in(path)
    if isinstance(names, str):
        return f"is {names}"
    odd = [name for name in names if not HARMLESS.fullmatch(name)]
    return f"names {', '.join(odd[:4])}; not loaded, so that nothing unknown runs" if odd else ""


def _random(
    path: Path | None, truth: dict[str, str], cause: str, scratch: Path, own: dict[str, Any]
) -> list[dict[str, str]]:
    """Load the directory's random states for real, among this environment's own files."""
    graft = scratch / "graft"
    shutil.rmtree(str(graft), ignore_errors=True)
    shutil.copytree(str(scratch / "plain"), str(graft))
    (graft / "random_states_0.pkl").unlink()
    if path is not None:
        shutil.copyfile(str(path), str(graft / "random_states_0.pkl"))
    for other in graft.glob("custom_checkpoint_0.pkl"):
        other.unlink()  # its own troubles are told for itself, and come after these
    loaded = child("load", str(graft))["graft"]
    error = "" if "custom checkpoints" in str(loaded["error"]) else loaded["error"]
    lost = [part for part, verdict in compare(truth, loaded).items() if verdict != "restored"]
    if not error and not lost and truth:
        return []
    remedy = f"{REPAIR}; {LOADER}"
    if not truth:
        remedy = "the random states can't be made up; `ckptmatrix repair` has --step N for step"
    elif "step" not in truth and not lost:
        cause = f"no step in random_states_0.pkl: saved before accelerate {RELEASES['step saved']}"
    elif lost == ["step"] and not error:
        cause, remedy = f"accelerate restores step from {RELEASES['step saved']} on", LOADER
    else:
        freed = child("load", str(graft), TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD="1")["graft"]
        if set(compare(truth, freed).values()) == {"restored"}:
            remedy += "; or run with TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1, if you trust its origin"
    if error:
        return [finding("raises", f"load_state raises {error}", cause, remedy)]
    gone = ", ".join(lost) if truth else "all random states and step"
    return [finding("silent", f"not restored, without an error: {gone}", cause, remedy)]


def main() -> int:
    """Command line."""
    if sys.argv[1:2] == ["--child"]:
        actions: dict[str, Any] = {"save": save, "load": load, "peek": peek}
        done = actions[sys.argv[2]](*sys.argv[3:])
        print("\ndoctor:" + json.dumps(done))
        return 0
    parser = argparse.ArgumentParser(
        prog="doctor.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", nargs="?", metavar="DIR", help="a checkpoint of save_state")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    options = parser.parse_args()
    if options.directory and not Path(options.directory).is_dir():
        parser.error(f"{options.directory} is no directory")
    found = versions()
    with tempfile.TemporaryDirectory(prefix="doctor-") as scratch:
        own = probe(Path(scratch))
        answer: dict[str, Any] = {"versions": found, "own": own, "directory": None}
        if "crash" not in own:
            own["findings"] = examine(Path(scratch, "plain"), own, Path(scratch), found)
            if options.directory:
                findings = examine(Path(options.directory), own, Path(scratch), found)
                answer["directory"] = {"path": options.directory, "findings": findings}
    print(json.dumps(answer, indent=2) if options.json else text(answer))
    if "crash" in own:
        return 3
    told = (answer["directory"] or own)["findings"]
    return 1 if any(item["effect"] != "possible" for item in told) else 0


def text(answer: dict[str, Any]) -> str:
    """The answer for people."""
    lines = [f"  {name:<12} {version}" for name, version in answer["versions"].items()]
    lines.insert(0, "This environment")
    own = answer["own"]
    if "crash" in own:
        remedy = "run it with the python that trains: /path/to/python doctor.py"
        return "\n".join([*lines, "", f"accelerate can't be run here: {own['crash']}", remedy])
    for kind, title in (("plain", f"step = {STEP}"), ("tied", "tied weights")):
        lines += ["", f"Its own checkpoint ({title}), loaded in a fresh process"]
        lines.append(f"  {', '.join(own[kind]['files'])}")
        if own[kind]["error"]:
            lines.append(f"  load_state raises {own[kind]['error']}")
        for name, verdict in own[kind]["components"].items():
            if kind == "plain" or name == "model":
                lines.append(f"  {name:<12} {verdict}")
    lines += _said(own["findings"]) if own["findings"] else ["", "Nothing is lost here."]
    checked = answer["directory"]
    if checked:
        lines += ["", f"{checked['path']} in this environment"]
        lines += _said(checked["findings"]) or ["  resumes: nothing in it is lost here"]
    return "\n".join(lines)


def _said(findings: list[dict[str, str]]) -> list[str]:
    lines = []
    for item in findings:
        lines.append(f"  {item['effect']}: {item['what']}")
        lines += [f"      cause:  {item['cause']}", f"      remedy: {item['remedy']}"]
    return lines


if __name__ == "__main__":
    sys.exit(main())
