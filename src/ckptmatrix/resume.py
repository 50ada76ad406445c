"""`load_state`: resume from an `accelerator.save_state` directory and lose nothing silently.

In a training script one line changes::

    accelerator.load_state(directory)          # before
    load_state(accelerator, directory)         # after: from ckptmatrix.resume import load_state

accelerate's own `load_state` still runs and does what it is good at: hooks, FSDP and DeepSpeed,
optimizers, schedulers, dataloaders, devices. Three things are taken over, in every release from
0.15.0 on:

* *files are read with an allow list.* What accelerate asks `torch.load` for in this directory is
  answered by `read`, which builds tensors, numpy arrays and plain containers and nothing else, of
  either numpy generation, whatever torch's default for `weights_only` is. accelerate itself drops
  all random states and `step` when torch refuses numpy's globals, with a line at INFO level
  (huggingface/accelerate#2924, #3433, #4283), and unpickles custom objects without any check.
* *weights are found in either format*, and tied weights that safetensors left out are filled in
  from the parameter they share memory with (accelerate#2807).
* *what came of each file is kept*, compared where that is cheap, and reported.

The file stands alone (standard library, torch, numpy and accelerate; Python 3.8) and can be copied
into a project.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import importlib
import io
import json
import math
import mmap
import os
import pickle
import random
import re
import sys
import types
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Component", "LoadReport", "ResumeError", "UnsafeFileError", "load_state", "read"]


# Facts about checkpoints, each in this one place.

FILE_NAMES: Mapping[str, tuple[str, ...]] = {
    "model": ("model[_N].safetensors", "pytorch_model[_N].bin"),
    "optimizer": ("optimizer[_N].bin",),
    "scheduler": ("scheduler[_N].bin",),
    "scaler": ("scaler.pt",),
    "dataloader": ("dl_state_dict[_N].bin",),
    "sampler": ("sampler[_N].bin",),
    "rng": ("random_states_N.pkl",),
    "custom": ("custom_checkpoint_N.pkl",),
}
"""Component -> the names that accelerate gives to its files. `N` counts from 0: it is the number of
the object, of the process for `rng`. `[_N]` is left out for 0 (accelerate's utils/constants.py)."""

RANDOM_STATE_KEYS: Mapping[str, str] = {
    "rng.python": "random_state",
    "rng.numpy": "numpy_random_seed",
    "rng.torch": "torch_manual_seed",
    "rng.cuda": "torch_cuda_manual_seed",
    "step": "step",
}
"""Component -> its key in `random_states_N.pkl`."""

SAFETENSORS_DTYPES: Mapping[str, str] = {
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "BF16": "bfloat16",
    "BOOL": "bool",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
"""Element type in a safetensors header -> its name in torch."""

HARMLESS_NAMES = (
    "builtins.set", "builtins.frozenset", "builtins.complex", "builtins.bytearray",
    "builtins.slice", "builtins.int", "builtins.float", "builtins.bool", "builtins.str",
    "builtins.bytes", "builtins.list", "builtins.tuple", "builtins.dict",
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter",
    "collections.deque",
    "torch.Size", "torch.device", "torch.Tensor", "torch.nn.parameter.Parameter",
    "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter",
    "torch.storage.UntypedStorage",
    "_codecs.encode", "numpy.dtype", "numpy.ndarray",
    "numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar",
)  # fmt: skip
"""What a pickle may name, beside torch's dtypes. numpy spells its own names in one way before and
in another since numpy 2."""

RELEASES: Mapping[str, str] = {
    "oldest": "0.15.0",
    "hooks": "0.16.0",
    "scheduler counts updates": "0.16.0",
    "custom count raises": "0.21.0",
    "safetensors": "0.25.0",
    "step saved": "0.32.0",
}
"""What changed in accelerate -> the first release that has it."""


class ResumeError(RuntimeError):
    """Something in the checkpoint could not be restored."""


class UnsafeFileError(ResumeError):
    """A file names globals that are not on the allow list, or is no sound torch archive."""


@dataclass(frozen=True)
class Component:
    """What became of one part of the training state."""

    status: str
    """`restored`; `lost`: in the directory, or needed by this run, and not restored;
    `unsaved`: the release that wrote the directory never saved it."""
    how: str
    """The file and the way, or the reason."""


@dataclass(frozen=True)
class LoadReport:
    """What `load_state` did."""

    directory: str
    """The directory that was read."""
    components: Mapping[str, Component]
    """Name, such as `model`, `optimizer_1`, `rng.numpy`, `step` or `custom_0` -> outcome."""

    @property
    def lost(self) -> tuple[str, ...]:
        """Names of the components that could not be restored."""
        return tuple(n for n, part in self.components.items() if part.status == "lost")

    def __str__(self) -> str:
        rows = (f"  {n:<14} {part.status:<9} {part.how}" for n, part in self.components.items())
        return "\n".join([f"resumed from {self.directory}", *rows])


def load_state(
    accelerator: Any,
    directory: Any = None,
    *,
    strict: bool = True,
    step: int | None = None,
    allow: Sequence[Any] = (),
    unsafe: Sequence[str] = (),
    model_strict: bool = True,
    **native: Any,
) -> LoadReport:
    """Restore everything that `accelerator.save_state` put into `directory`.

    Call it where the script called `accelerator.load_state`: after `prepare`,
    `register_for_checkpointing` and the registration of hooks.

    Args:
        accelerator: the `accelerate.Accelerator` (0.15.0 or newer).
        directory: the checkpoint directory; None takes the latest of automatic checkpoint naming.
        strict: raise `ResumeError` if any component is lost. False leaves it to the caller to look
            at the report; what was lost then keeps the value that it had before the call.
        step: value for `accelerator.step` (micro-batches since the last full accumulation) when
            the directory has none, as with every release before 0.32.0.
        allow: further classes or functions that the files may name. Allow only what is harmless
            when called with any arguments.
        unsafe: patterns of file names, such as `custom_checkpoint_*.pkl`, to be read by
            unrestricted unpickling, which **runs whatever code the file names**.
        model_strict: `strict` for the models' `load_state_dict`.
        **native: further arguments for `accelerator.load_state`, such as `map_location`. `assign`
            is left out: it would give the model other parameters than the optimizer steps.

    Raises:
        ResumeError: one error naming all components that were lost, if `strict`.
        Whatever accelerate, torch or a hook raises when the state does not fit the script.
    """
    path = Path(directory or _latest(accelerator)).expanduser().absolute()
    if not path.is_dir():
        raise ResumeError(f"{path} is no directory, so there is nothing to resume from.")
    load = _Load(accelerator, path, allow, unsafe)
    native.pop("assign", None)
    with load.answering_torch(), load.taking_models(model_strict):
        try:
            accelerator.load_state(str(path), **native)
        except RuntimeError as error:
            # accelerate's last act (0.21.0 and newer): all else is loaded, and `left_over` tells.
            if "custom checkpoints" not in str(error) or not load.custom_objects_differ():
                raise
    load.mend_custom_objects()
    load.left_over()
    load.finish_random_states(step)
    load.continue_naming()
    report = LoadReport(str(path), load.components)
    if strict and report.lost:
        reasons = "".join(f"\n  {name}: {report.components[name].how}" for name in report.lost)
        raise ResumeError(
            f"{path} was not restored whole; training must not go on from here:{reasons}\n"
            "With strict=False the rest is used and the report says what is missing."
        )
    unsaved = [n for n, part in report.components.items() if part.status == "unsaved"]
    if unsaved:
        reasons = "; ".join(f"{name}: {report.components[name].how}" for name in unsaved)
        warnings.warn(f"{path} does not hold everything: {reasons}", stacklevel=2)
    return report


_KINDS = {
    template.split("[_N]")[0].split("_N")[0].split(".")[0]: component
    for component, templates in FILE_NAMES.items()
    for template in templates
}
_NAMES = re.compile(
    rf"(?P<kind>{'|'.join(_KINDS)})(?:_(?P<index>\d+))?\.(?:bin|pkl|pt|safetensors)"
)


def _title(kind: str, index: str | None) -> str:
    title = _KINDS[kind]
    return f"{title}_{index}" if index and (title == "custom" or int(index)) else title


class _Load:
    """One call of `load_state`: who is asked for what, and what came of it."""

    def __init__(
        self, accelerator: Any, path: Path, allow: Sequence[Any], unsafe: Sequence[str]
    ) -> None:
        self.accelerator = accelerator
        self.path = path
        self.allow = allow
        self.unsafe = unsafe
        self.components: dict[str, Component] = {}
        self.random_states: dict[str, Any] = {}
        self.files = sorted(f.name for f in path.iterdir() if _NAMES.fullmatch(f.name))
        self.torch_load = torch.load

    def set(self, name: str, status: str, how: str) -> None:
        self.components[name] = Component(status, how)

    # What accelerate asks torch.load for.

    @contextlib.contextmanager
    def answering_torch(self) -> Iterator[None]:
        """`torch.load`, the one way by which every release reads these files, is ours meanwhile."""
        torch.load = self.answer
        try:
            yield
        finally:
            torch.load = self.torch_load

    def answer(self, f: Any, map_location: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Content of one of this directory's own files; any other call goes to torch as it is."""
        match = None
        if isinstance(f, (str, os.PathLike)):
            path = Path(f).absolute()
            match = _NAMES.fullmatch(path.name) if path.parent == self.path else None
        if match is None:
            return self.torch_load(f, map_location, *args, **kwargs)
        title = _title(match["kind"], match["index"])
        try:
            content = self.read(path.name, map_location)
        except (OSError, ResumeError) as error:
            self.set(title, "lost", self.reason(path.name, error))
            return self.unchanged(match["kind"], int(match["index"] or 0))
        if match["kind"] == "random_states":
            self.random_states = content
            return {"step": self.accelerator.step, "torch_cuda_manual_seed": [], **content}
        self.set(title, "restored", path.name)
        return self.recounted(content, title) if match["kind"] == "scheduler" else content

    def read(self, name: str, map_location: Any = None) -> Any:
        path = self.path / name
        if any(fnmatch.fnmatch(name, pattern) for pattern in self.unsafe):
            return self.torch_load(path, map_location or "cpu", pickle_module=pickle)
        return read(path, map_location, self.allow, self.torch_load)

    def reason(self, name: str, error: Exception) -> str:
        if isinstance(error, FileNotFoundError):
            ranks = [n for n in self.files if n.startswith("random_states")]
            if name.startswith("random_states") and ranks:
                return f"{name} is missing; the directory has states of {len(ranks)} process(es)"
            return f"{name} is missing"
        return str(error) if name in str(error) else f"{name} can't be read: {error}"

    def unchanged(self, kind: str, index: int) -> Any:
        """The state as it is now, in the form of the file: loading it changes nothing."""
        accelerator = self.accelerator
        if kind == "random_states":
            return {"step": accelerator.step, "torch_cuda_manual_seed": [], **_random_now()}
        if kind == "scaler":
            return accelerator.scaler.state_dict()
        owners = {
            "optimizer": "_optimizers",
            "scheduler": "_schedulers",
            "dl_state_dict": "_dataloaders",
            "custom_checkpoint": "_custom_objects",
        }
        if kind not in owners:
            raise ResumeError(self.components[_title(kind, str(index))].how)
        return getattr(accelerator, owners[kind])[index].state_dict()

    def recounted(self, state: dict[str, Any], title: str) -> dict[str, Any]:
        """A scheduler's state, its counts as this release understands them.

        Under accumulation a prepared scheduler steps with every update of the optimizer since
        0.16.0, and with every micro-batch before. The optimizer's own count tells which it was.
        """
        accelerator, scheduler = self.accelerator, self.accelerator._schedulers[0]
        micro = int(getattr(accelerator, "gradient_accumulation_steps", 1))
        ranks = sum(name.startswith("random_states") for name in self.files)
        prepared = getattr(scheduler, "step_with_optimizer", False)
        if micro == 1 or not prepared or ranks != accelerator.num_processes:
            return state
        own = (s for o in accelerator._optimizers for s in getattr(o, "state", {}).values())
        updates = max((int(s["step"]) for s in own if "step" in s), default=0)
        updates *= 1 if getattr(accelerator, "split_batches", False) else ranks
        new = count = state.get("last_epoch", 0)
        step = self.saved_step()
        old = step is None and "model.safetensors" not in self.files
        if hasattr(scheduler, "gradient_state"):  # this release is 0.16.0 or newer
            new = updates if old and updates < count <= updates * micro else count
        elif count and count == updates:
            if step is None:  # perhaps saved in the middle of a round
                how = "counts optimizer steps, this release micro-batches, and no file tells those"
                self.set(title, "lost", f"{self.components[title].how} {how}")
            elif step % micro == 0:
                new = updates * micro
        if new == count:
            return state
        self.set(title, "restored", f"{self.components[title].how}, its {count} steps as {new}")
        return {**state, "last_epoch": new, "_step_count": new + 1}

    def saved_step(self) -> int | None:
        """`accelerator.step` in the random states, which accelerate loads last."""
        with contextlib.suppress(OSError, ResumeError):
            states = self.read(f"random_states_{self.accelerator.process_index}.pkl")
            return states.get("step")  # type: ignore[no-any-return]
        return None

    # The models.

    @contextlib.contextmanager
    def taking_models(self, strict: bool) -> Iterator[None]:
        """Load what the script's hooks have left in `models`, in place of accelerate."""

        def hook(models: list[Any], input_dir: str) -> None:
            for index, model in enumerate(models):
                self.load_model(model, index, strict)
            models.clear()

        accelerator = self.accelerator
        if hasattr(accelerator, "register_load_state_pre_hook"):
            handle = accelerator.register_load_state_pre_hook(hook)
            try:
                yield
            finally:
                handle.remove()
        elif str(accelerator.distributed_type.value) in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
            yield
        else:  # 0.15.0 has no hooks that could leave anything out
            models = accelerator._models
            hook(list(models), str(self.path))
            accelerator._models = []
            try:
                yield
            finally:
                accelerator._models = models

    def load_model(self, model: Any, index: int, strict: bool) -> None:
        ending = f"_{index}" if index else ""
        name, other = f"model{ending}.safetensors", f"pytorch_model{ending}.bin"
        both = name in self.files and other in self.files
        # A later save in the other format leaves the old file behind, and accelerate 0.25.0 and
        # newer go on to prefer it. Every save writes the weights first, the optimizer after them.
        if name not in self.files or (both and self.in_order(name, other, "optimizer.bin")):
            name, other = other, name
        title = _title("model", str(index))
        try:
            safe = name.endswith(".safetensors")
            weights = _map_safetensors(self.path / name) if safe else self.read(name)
            how = _fit(weights, model)
            model.load_state_dict(weights, strict=strict)
        except (OSError, RuntimeError) as error:  # ResumeError is a RuntimeError
            self.set(title, "lost", self.reason(name, error))
            return
        self.set(title, "restored", name + how)
        if both and safe and self.in_order(name, other) and not _same(self.read(other), weights):
            how = f"{name} was loaded, as accelerate does, but {other} is newer and differs"
            self.set(title, "lost", how + "; delete the stale one")

    def in_order(self, *names: str) -> bool:
        """Whether these files were written one after the other, as far as they are there."""
        times = [(self.path / n).stat().st_mtime_ns for n in names if n in self.files]
        return times[0] < times[1] and times == sorted(times)

    # What accelerate's own load says nothing about.

    def custom_objects_differ(self) -> bool:
        found = sum(name.startswith("custom_checkpoint") for name in self.files)
        return bool(found != len(self.accelerator._custom_objects))

    def mend_custom_objects(self) -> None:
        """Load those that both sides have, where accelerate refuses all or skips all."""
        names = [name for name in self.files if name.startswith("custom_checkpoint")]
        if not self.custom_objects_differ():
            return
        how = f"{len(names)} custom objects are saved, the script registers "
        how += str(len(self.accelerator._custom_objects))
        for index in range(max(len(names), len(self.accelerator._custom_objects))):
            name = f"custom_checkpoint_{index}.pkl"
            self.set(f"custom_{index}", "lost", how)
            if name in names and index < len(self.accelerator._custom_objects):
                content = self.answer(self.path / name, "cpu")
                self.accelerator._custom_objects[index].load_state_dict(content)
                if self.components[f"custom_{index}"].status == "restored":
                    self.set(f"custom_{index}", "restored", f"{name}, by its position; {how}")

    def left_over(self) -> None:
        """Files that nobody asked for, and parts of this run that no file was asked for."""
        for index, dataloader in enumerate(getattr(self.accelerator, "_dataloaders", ())):
            title = _title("dl_state_dict", str(index))
            if getattr(dataloader, "use_stateful_dataloader", False):
                how = "dl_state_dict.bin is missing: it starts from the beginning"
                self.components.setdefault(title, Component("lost", how))
            elif _is_seedable(dataloader):
                how = "no release saves a seedable sampler's epoch: call set_epoch(epoch) now"
                self.components.setdefault(title, Component("unsaved", how))
        for name in self.files:
            match = _NAMES.fullmatch(name)
            assert match is not None
            if match["kind"] not in ("random_states", "sampler"):
                how = f"{name} was not asked for: nothing is prepared that it belongs to"
                title = _title(match["kind"], match["index"])
                self.components.setdefault(title, Component("lost", how))

    def finish_random_states(self, step: int | None) -> None:
        """Set `step` and all random states last, so that nothing has drawn since, and compare."""
        lost = self.components.pop("rng", None) or self.components.pop(
            f"rng_{self.accelerator.process_index}", None
        )
        name = f"random_states_{self.accelerator.process_index}.pkl"
        states = self.random_states
        for title, (key, get, set_) in _STREAMS.items():
            if title == "rng.cuda" and not torch.cuda.is_available():
                continue  # no GPU here that could draw
            if title == "rng.cuda" and states and not states.get(key):
                self.set(title, "unsaved", f"{name} was written without a GPU")
                continue
            if key not in states:
                self.components[title] = lost or Component("lost", f"{name} has no {key}")
                continue
            try:
                how = set_(states[key]) or ""
                same = _plain(get()) == _plain(states[key]) or bool(how)
                self.set(title, "restored" if same else "lost", f"{name}{how}")
            except (TypeError, ValueError, RuntimeError, IndexError) as error:
                self.set(title, "lost", f"{name}: {error}")
        if step is None and "step" not in states:
            how = f"{name} has none: written before accelerate 0.32.0; give step= to set it"
            self.components["step"] = lost or Component("unsaved", how)
        else:
            self.accelerator.step = states.get("step", step)
            self.set("step", "restored", name if "step" in states else "the argument step")

    def continue_naming(self) -> None:
        """Automatic naming goes on after this checkpoint instead of overwriting from 0."""
        configuration: Any = getattr(self.accelerator, "project_configuration", None)
        match = re.fullmatch(r"checkpoint_(\d+)", self.path.name)
        if match and getattr(configuration, "automatic_checkpoint_naming", False):
            configuration.iteration = int(match[1]) + 1
            self.set("save_iteration", "restored", f"the next is checkpoint_{int(match[1]) + 1}")


def _latest(accelerator: Any) -> Path:
    """Directory of the latest automatically named checkpoint (the argument left out)."""
    folder = Path(getattr(accelerator, "project_dir", None) or ".", "checkpoints")
    matches = (re.fullmatch(r"checkpoint_(\d+)", path.name) for path in folder.glob("*"))
    found = [int(match[1]) for match in matches if match]
    if not found:
        raise ResumeError(f"No directory was given, and {folder} holds no checkpoint_N.")
    return folder / f"checkpoint_{max(found)}"


def _is_seedable(dataloader: Any) -> bool:
    """Whether its order hangs on a seed and an epoch (0.25 always, since 0.26 by request)."""
    batches = getattr(dataloader, "batch_sampler", None)
    sampler = getattr(getattr(batches, "batch_sampler", batches), "sampler", None)
    return type(sampler).__name__ == "SeedableRandomSampler"


# Random states.


def _set_cuda(states: Any) -> str:
    """Set as many devices as both sides have; says so where the counts differ."""
    here = torch.cuda.device_count()
    for index, state in enumerate(states[:here]):
        # torch up to 2.0 put 800 unused bytes before seed and offset (pytorch#109383).
        size = torch.cuda.get_rng_state(index).numel()
        torch.cuda.set_rng_state(state[-size:] if state.numel() == 816 else state, index)
    if here != len(states):
        return f", {min(here, len(states))} of {len(states)} GPUs' states used, {here} GPUs here"
    return ""


_STREAMS: dict[str, tuple[str, Callable[[], Any], Callable[[Any], str | None]]] = {
    "rng.python": (
        RANDOM_STATE_KEYS["rng.python"],
        random.getstate,
        lambda state: random.setstate((state[0], tuple(state[1]), state[2])),
    ),
    "rng.numpy": (RANDOM_STATE_KEYS["rng.numpy"], np.random.get_state, np.random.set_state),
    "rng.torch": (RANDOM_STATE_KEYS["rng.torch"], torch.get_rng_state, torch.set_rng_state),
    "rng.cuda": (RANDOM_STATE_KEYS["rng.cuda"], torch.cuda.get_rng_state_all, _set_cuda),
}
"""Component -> its key in `random_states_N.pkl`, how to get it, how to set it."""


def _random_now() -> dict[str, Any]:
    return {key: get() for key, get, _ in _STREAMS.values()}


def _plain(state: Any) -> Any:
    """A state as numbers in tuples, so that arrays, tensors and lists compare."""
    if isinstance(state, (torch.Tensor, np.ndarray)):
        return tuple(state.tolist())
    if isinstance(state, (tuple, list)):
        return tuple(_plain(part) for part in state)
    return state


# Weights.


def _map_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file, mapped and not copied: the model copies them."""
    size = path.stat().st_size
    if size < 8:
        raise UnsafeFileError(f"{path} is truncated or damaged: {size} bytes")
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    start = 8 + int.from_bytes(content[:8], "little")
    try:
        header: Any = json.loads(content[8:start]) if start <= size else None
        entries = {name: info for name, info in header.items() if name != "__metadata__"}
    except (ValueError, AttributeError) as error:
        raise UnsafeFileError(f"{path} is truncated or damaged: its header") from error
    tensors = {}
    for name, info in entries.items():
        dtype = getattr(torch, SAFETENSORS_DTYPES.get(info["dtype"], "?"), None)
        if dtype is None:
            raise UnsafeFileError(f"{path}: this torch has no dtype for {info['dtype']} ({name})")
        begin, end = info["data_offsets"]
        count = math.prod(info["shape"])
        empty = torch.empty(0, dtype=dtype)
        if not (0 <= begin <= end <= size - start and end - begin == count * empty.element_size()):
            raise UnsafeFileError(f"{path} is truncated or damaged at {name}")
        if count:
            empty = torch.frombuffer(content, dtype=dtype, count=count, offset=start + begin)
        tensors[name] = empty.reshape(info["shape"])
    return tensors


def _fit(weights: dict[str, Any], model: Any) -> str:
    """Fit names in place: `torch.compile`'s prefix, and tied weights that the file left out."""
    how = ""
    live = model.state_dict()
    bare = {name.replace("_orig_mod.", ""): name for name in live}
    renamed = {bare.get(n.replace("_orig_mod.", ""), n): n for n in weights}
    if set(renamed) != set(weights):
        for new, old in renamed.items():
            weights[new] = weights.pop(old)
        how += ", torch.compile's prefix changed"
    tensors = {n: t for n, t in live.items() if isinstance(t, torch.Tensor) and not t.is_meta}
    owners = {_place(tensors[n]): n for n in weights if n in tensors}
    tied = [n for n in tensors if n not in weights and _place(tensors[n]) in owners]
    for name in tied:
        weights[name] = weights[owners[_place(tensors[name])]]
    return how + (f", tied: {', '.join(tied)}" if tied else "")


def _same(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Whether two state dicts hold the same bits; names that one of them left out don't count."""
    pairs = ((left[n], right[n]) for n in left if n in right)
    return all(
        torch.equal(*(t.contiguous().reshape(-1).view(torch.uint8) for t in pair))
        for pair in pairs
        if isinstance(pair[0], torch.Tensor)
    )


def _place(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Equal for two tensors that are the same piece of memory."""
    return (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())


# Reading a torch archive without running anything that is in it.


def read(
    path: Any, map_location: Any = None, allow: Sequence[Any] = (), torch_load: Any = None
) -> Any:
    """Content of a file that `torch.save` wrote: tensors, numpy arrays and plain containers.

    Works alike on every torch, which `weights_only=True` does not: before torch 2.4 nothing can be
    added to its list, before 2.6 not numpy's other spelling, and up to 2.5.1 it can be circumvented
    by a file in the format from before torch 1.6 (CVE-2025-32434), which is refused here.

    Args:
        path: the file.
        map_location: as for `torch.load`; the CPU if not given.
        allow: further classes and functions that the file may name.
        torch_load: the real `torch.load`, if another function has its place.

    Raises:
        UnsafeFileError: the file names anything else, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            head = archive.fp.read(4) if archive.fp and not archive.fp.seek(0) else b""
    except zipfile.BadZipFile as error:
        raise UnsafeFileError(f"{path} is damaged or not written by torch 1.6 or newer") from error
    sizes = {info.filename.split("/", 1)[-1]: info.file_size for info in entries}
    odd = head != b"PK\3\4" or len(sizes) != len(entries) or "constants.pkl" in sizes
    if odd or any(info.compress_type for info in entries):
        raise UnsafeFileError(f"{path} is an archive of another kind than torch.save writes")
    namespace = {"sizes": sizes, "allowed": _allowed(allow), "path": path}
    module: Any = types.SimpleNamespace(
        __name__="ckptmatrix.resume", Unpickler=type("Unpickler", (_Unpickler,), namespace)
    )
    forced = os.environ.pop("TORCH_FORCE_WEIGHTS_ONLY_LOAD", None)  # rules out any other list
    try:
        if _honours_pickle_module(torch_load or torch.load):
            return (torch_load or torch.load)(path, map_location or "cpu", pickle_module=module)
        with torch.serialization._open_zipfile_reader(str(path)) as archive:
            load = torch.serialization._load
            return load(archive, map_location or "cpu", module, encoding="utf-8")
    except ResumeError:
        raise
    except Exception as error:
        raise UnsafeFileError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    finally:
        if forced is not None:
            os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = forced


_Machine: Any = pickle._Unpickler  # the one written in Python


class _Canary(_Machine):  # type: ignore[misc]
    """Says that it was asked."""

    def load(self) -> None:
        raise InterruptedError


@functools.lru_cache
def _honours_pickle_module(torch_load: Any) -> bool:
    """Whether torch really unpickles with the module that it is given: 1.13 takes its own."""
    file = io.BytesIO()
    torch.save(0, file)
    file.seek(0)
    try:
        torch_load(file, pickle_module=types.SimpleNamespace(__name__="canary", Unpickler=_Canary))
    except InterruptedError:
        return True
    return False


def _encode(text: str, encoding: str) -> bytes:
    """How pickle protocol 2 spells bytes; no other codec is needed."""
    if encoding != "latin1":
        raise UnsafeFileError(f"encoding {encoding} is not allowed")
    return text.encode("latin1")


def _dtype(code: str, *_: Any) -> Any:
    """A dtype of numbers or text; of objects or fields never, as those can be forged."""
    if not re.fullmatch(r"[<>=|]?[?biufcSU]\d*", code):
        raise UnsafeFileError(f"numpy dtype {code} is not allowed")
    return np.dtype(code)


@functools.lru_cache
def _always_allowed() -> dict[str, Any]:
    """Global name in a pickle -> what it stands for."""
    allowed = {
        f"torch.{name}": value for name, value in vars(torch).items() if type(value) is torch.dtype
    }
    stand_ins = {"_codecs.encode": _encode, "numpy.dtype": _dtype}
    for core in ("numpy.core", "numpy._core"):  # this numpy has one of them
        stand_ins[core + ".multiarray._reconstruct"] = np.zeros(0).__reduce__()[0]
        stand_ins[core + ".multiarray.scalar"] = np.float64(0).__reduce__()[0]
    for name in HARMLESS_NAMES:
        module, _, attribute = name.rpartition(".")
        value = stand_ins.get(name) or getattr(importlib.import_module(module), attribute, None)
        if value is not None:  # this torch has it
            allowed[name] = value
    return allowed


def _allowed(extra: Sequence[Any]) -> dict[str, Any]:
    """The same, with what this process and the caller allow beyond it."""
    allowed = dict(_always_allowed())
    known: Any = getattr(torch.serialization, "get_safe_globals", list)()  # torch 2.4
    for entry in (*known, *extra):
        pair = isinstance(entry, tuple)
        value = entry[0] if pair else entry
        allowed.setdefault(entry[1] if pair else f"{value.__module__}.{value.__qualname__}", value)
    return allowed


class _Unpickler(_Machine):  # type: ignore[misc]
    """Pickle's own machine, without its reach: globals from a table, storages within the file."""

    sizes: dict[str, int]
    allowed: dict[str, Any]
    path: str
    dispatch: ClassVar[dict[int, Any]] = dict(_Machine.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        full = f"{'builtins' if module == '__builtin__' else module}.{name}"
        if full not in self.allowed:
            raise UnsafeFileError(
                f"{self.path} names {full}, which is not on the allow list; if you trust it, pass "
                f"it by allow=, or the file's name by unsafe= (which runs any code in it)"
            )
        return self.allowed[full]

    def load_build(self) -> None:
        """Set an object's state; never that of a class or function, which outlive this file."""
        state, target = self.stack[-1], self.stack[-2]
        if isinstance(target, np.dtype):
            self.stack[-2:] = [target.newbyteorder(state[1])]
        elif any(target is known for known in self.allowed.values()):
            raise UnsafeFileError(f"{self.path} changes {target!r}")
        else:
            super().load_build()

    def load_binpersid(self) -> None:
        """A storage: no larger than its record, which torch before 2.10 did not check."""
        _, kind, key, _, count = self.stack[-1]
        dtype = getattr(kind, "dtype", None)
        width = torch.empty(0, dtype=dtype).element_size() if dtype is not None else 1
        if not 0 <= count * width <= self.sizes.get(f"data/{key}", -1):
            raise UnsafeFileError(f"{self.path} is truncated or damaged: record data/{key}")
        super().load_binpersid()

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BINPERSID[0]] = load_binpersid


if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("ckptmatrix.resume reads weights on little-endian machines only")
