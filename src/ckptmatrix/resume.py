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
* *the outcome of each file is kept*, compared where that is cheap, and reported.

Under FSDP, what accelerate loses without a word or never comes back from is loaded by torch's own
functions; under DeepSpeed, it is looked at beforehand whether all files are there that its own load
needs, and afterwards what that load says, which accelerate does not. The `.metadata` of shards, and
the files of DeepSpeed, are unpickled by these, unchecked: resume sharded training only from
directories that you trust.

The file stands alone (standard library, torch, numpy and accelerate; Python 3.8) and can be copied
into a project. Read it from top to bottom: facts about checkpoints, `load_state`, the steps that it
takes in their order, then what they use: scheduler counts, random states, weights, torch archives.
"""

from __future__ import annotations

import collections
import contextlib
import fnmatch
import functools
import json
import math
import mmap
import os
import pickle
import random
import re
import stat
import struct
import sys
import types
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import BinaryIO, Literal

__all__ = ["Component", "LoadReport", "ResumeError", "UnsafeFileError", "load_state", "read"]

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("ckptmatrix.resume reads weights on little-endian machines only")

# Facts about checkpoints, each stated here alone.

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
"""Component -> the names that accelerate gives to its files (its utils/constants.py). N counts the
objects, for `rng` the processes, from 0; `[_N]` is left out for 0."""

RANDOM_STATE_KEYS: Mapping[str, str] = {
    "rng.python": "random_state",
    "rng.numpy": "numpy_random_seed",
    "rng.torch": "torch_manual_seed",
    "rng.cuda": "torch_cuda_manual_seed",
    "step": "step",
}
"""Component -> its key in `random_states_N.pkl`."""

SAFETENSORS_DTYPES: Mapping[str, str] = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "BOOL": "bool",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8",
}  # fmt: skip
"""Element type in a safetensors header -> its name in torch."""

HARMLESS_NAMES = (
    "builtins.set", "builtins.frozenset", "builtins.complex", "builtins.bytearray",
    "builtins.slice", "builtins.int", "builtins.float", "builtins.bool", "builtins.str",
    "builtins.bytes", "builtins.list", "builtins.tuple", "builtins.dict", "_codecs.encode",
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter",
    "collections.deque", "torch.Size", "torch.device", "torch.Tensor",
    "torch.nn.parameter.Parameter", "torch.storage.UntypedStorage",
    "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter",
    "numpy.dtype", "numpy.ndarray",
    "numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar",
)  # fmt: skip
"""What a pickle may name, beside torch's dtypes. `numpy.core` is numpy 1, `numpy._core` numpy 2."""

FSDP_WEIGHTS = "pytorch_model_fsdp"
"""What the names of FSDP's weights begin with: of a `.bin`, or of a folder of shards."""
FSDP_NAMES = (FSDP_WEIGHTS, "pytorch_model")  # since 0.25.0, and before

RELEASES: Mapping[str, str] = {
    "oldest": "0.15.0",  # that this file is made for
    "hooks": "0.16.0",  # scripts can take models out of a load
    "scheduler counts updates": "0.16.0",  # under gradient accumulation
    "custom count raises": "0.21.0",  # if directory and script differ in it
    "safetensors": "0.25.0",  # is what weights are saved as, and looked for first
    "step saved": "0.32.0",  # with the random states
}
"""What changed in accelerate -> the first release that has it."""

# The report, and `load_state` itself.


class ResumeError(RuntimeError):
    """Something in the checkpoint could not be restored."""


class UnsafeFileError(ResumeError):
    """A file names globals that are not on the allow list, or is no sound torch archive."""


@dataclass(frozen=True)
class Component:
    """The outcome for one part of the training state."""

    status: Literal["restored", "lost", "unsaved"]
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

    Returns:
        The outcome of every component. A warning names what was never saved.

    Raises:
        ResumeError: one error naming all components that were lost, if `strict`.
        Whatever accelerate, torch or a hook raises when the state does not fit the script.
    """
    path = Path(directory or _latest(accelerator)).expanduser().absolute()
    if not path.is_dir():
        raise ResumeError(f"{path} is not a directory, so there is nothing to resume from.")
    load = _Load(accelerator, _Checkpoint(path, allow, unsafe))
    native.pop("assign", None)
    with contextlib.ExitStack() as meanwhile:
        meanwhile.enter_context(load.answering_torch_load())
        meanwhile.enter_context(load.loading_models(model_strict))
        meanwhile.enter_context(load.loading_sharded())
        meanwhile.enter_context(load.loading_engines())
        try:
            accelerator.load_state(str(path), **native)
        except RuntimeError as error:
            # accelerate's last act, so all else is loaded; the next step does what it refuses.
            if "custom checkpoints" not in str(error) or not load.custom_objects_differ():
                raise
    load.load_common_custom_objects()
    load.note_what_was_not_asked_for()
    load.restore_random_states()
    load.restore_step(step)
    load.continue_naming()
    report = LoadReport(str(path), load.components)
    if strict and report.lost:
        reasons = "".join(f"\n  {name}: {report.components[name].how}" for name in report.lost)
        raise ResumeError(
            f"{path} was not restored whole; training must not go on from here:{reasons}\n"
            "With strict=False the rest is used and the report says what is missing."
        )
    unsaved = [f"{n}: {c.how}" for n, c in report.components.items() if c.status == "unsaved"]
    if unsaved:
        warnings.warn(f"{path} does not hold everything: {'; '.join(unsaved)}", stacklevel=2)
    return report


# The directory.

_AUTOMATIC_NAME = re.compile(r"checkpoint_(\d+)")


def _latest(accelerator: Any) -> Path:
    """Return the latest automatically named checkpoint, for an argument left out."""
    folder = Path(getattr(accelerator, "project_dir", None) or ".", "checkpoints")
    matches = (_AUTOMATIC_NAME.fullmatch(path.name) for path in folder.glob("*"))
    found = [int(match[1]) for match in matches if match]
    if not found:
        raise ResumeError(f"No directory was given, and {folder} holds no checkpoint_N.")
    return folder / f"checkpoint_{max(found)}"


@dataclass(frozen=True)
class _File:
    """A file of a checkpoint, as its name describes it."""

    name: str
    component: str
    index: int

    @property
    def title(self) -> str:
        return _title(self.component, self.index)


def _title(component: str, index: int) -> str:
    """Return a component's name in the report."""
    return f"{component}_{index}" if index or component == "custom" else component


def _names(component: str, index: int) -> list[str]:
    """Return the names of the index-th such component's file, in the order of preference."""
    number = f"_{index}" if index else ""
    return [t.replace("[_N]", number).replace("N", str(index)) for t in FILE_NAMES[component]]


def _described(name: str) -> _File | None:
    """Return what a file's name says; None if accelerate gives no such name."""
    for component, templates in FILE_NAMES.items():
        for template in templates:
            pattern = re.escape(template).replace(r"\[_N\]", r"(?:_(\d{1,6}))?")
            match = re.fullmatch(pattern.replace("N", r"(\d{1,6})"), name, re.ASCII)
            index = int(next(filter(None, match.groups()), 0)) if match else 0
            if match and name in _names(component, index):  # not `optimizer_0.bin`
                return _File(name, component, index)
    return None


_FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


class _Checkpoint:
    """A directory: which of its files are accelerate's, and how they are read."""

    def __init__(self, path: Path, allow: Sequence[Any], unsafe: Sequence[str]) -> None:
        self.path, self.allow, self.unsafe = path, allow, unsafe
        self.torch_load = torch.load
        described = (_described(name) for name in sorted(p.name for p in path.iterdir()))
        self.files = {file.name: file for file in described if file}

    def count(self, component: str) -> int:
        """Return how many files of a component there are."""
        return sum(file.component == component for file in self.files.values())

    def own_file(self, f: Any) -> _File | None:
        """Return the file that is meant, if it is one of accelerate's in this directory."""
        path = Path(f).absolute() if isinstance(f, (str, os.PathLike)) else None
        return _described(path.name) if path and path.parent == self.path else None

    def holds_sharded_weights(self, f: Any) -> bool:
        """Return whether a file of this directory holds the gathered weights of FSDP."""
        path = Path(f).absolute() if isinstance(f, (str, os.PathLike)) else None
        return path is not None and path.parent == self.path and path.name.startswith(FSDP_WEIGHTS)

    def read(self, name: str, map_location: Any = None) -> Any:
        """Return the content of a pickled file."""
        path = self.path / name
        if any(fnmatch.fnmatch(name, pattern) for pattern in self.unsafe):
            if os.environ.get(_FORCE, "0").lower() in ("1", "y", "yes", "true"):
                raise UnsafeFileError(f"{name}: {_FORCE} is set, which unsafe= does not lift")
            return self.torch_load(path, map_location or "cpu", pickle_module=pickle)
        return read(path, map_location, self.allow)

    def why_lost(self, name: str, error: Exception) -> str:
        """Return why a file that raised `error` could not be read."""
        if not isinstance(error, FileNotFoundError):
            return str(error) if name in str(error) else f"{name} can't be read: {error}"
        file, processes = _described(name), self.count("rng")
        if processes and file and file.component == "rng":
            return f"{name} is missing; the directory has states of {processes} process(es)"
        return f"{name} is missing"

    def in_order(self, *names: str) -> bool:
        """Return whether these files were written one after the other, as far as they exist."""
        times = [(self.path / n).stat().st_mtime_ns for n in names if n in self.files]
        return times[0] < times[1] and times == sorted(times)


# The steps of a load.

_OBJECTS = {
    "optimizer": "_optimizers",
    "scheduler": "_schedulers",
    "dataloader": "_dataloaders",
    "custom": "_custom_objects",
}
"""Component -> the accelerator's list of its objects."""


class _Load:
    """One call of `load_state`: its steps, and the outcomes so far."""

    def __init__(self, accelerator: Any, checkpoint: _Checkpoint) -> None:
        self.accelerator = accelerator
        self.checkpoint = checkpoint
        self.components: dict[str, Component] = {}
        self.random_states: Mapping[str, Any] = {}
        self.saved_with_state: set[str] = set()  # titles of optimizers
        self.optimizers = list(getattr(accelerator, "_optimizers", ()))

    def restored(self, title: str, how: str) -> None:
        self.components[title] = Component("restored", how)

    def lost(self, title: str, how: str) -> None:
        self.components[title] = Component("lost", how)

    # While accelerate loads: what it asks torch.load for.

    @contextlib.contextmanager
    def answering_torch_load(self) -> Iterator[None]:
        """Take the place of `torch.load`, by which every release reads these files."""
        torch.load = self.answer
        try:
            yield
        finally:
            torch.load = self.checkpoint.torch_load

    def answer(self, f: Any, map_location: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return the content of one of this directory's files; leave any other call to torch."""
        file = self.checkpoint.own_file(f)
        if file is None and self.checkpoint.holds_sharded_weights(f):
            return self.checkpoint.read(Path(f).name, map_location)
        if file is None:
            return self.checkpoint.torch_load(f, map_location, *args, **kwargs)
        try:
            content = self.checkpoint.read(file.name, map_location)
            if file.component != "custom" and not isinstance(content, dict):
                raise UnsafeFileError(f"{file.name} is damaged: it holds no dict")
        except (OSError, ResumeError) as error:
            self.lost(file.title, self.checkpoint.why_lost(file.name, error))
            return self.present_state(file)
        if file.component == "rng":
            self.random_states = content
            return {"step": self.accelerator.step, RANDOM_STATE_KEYS["rng.cuda"]: [], **content}
        self.restored(file.title, file.name)
        if file.component == "optimizer" and content.get("state"):
            self.saved_with_state.add(file.title)
        return self.recounted(content, file) if file.component == "scheduler" else content

    def present_state(self, file: _File) -> Any:
        """Return the state as it is now, in the form of the file: loading it changes nothing."""
        if file.component == "rng":
            now = {RANDOM_STATE_KEYS[name]: stream.get() for name, stream in _STREAMS.items()}
            return {"step": self.accelerator.step, **now}
        if file.component == "scaler":
            return self.accelerator.scaler.state_dict()
        if file.component not in _OBJECTS:
            raise ResumeError(self.components[file.title].how)
        return getattr(self.accelerator, _OBJECTS[file.component])[file.index].state_dict()

    def recounted(self, state: dict[str, Any], file: _File) -> dict[str, Any]:
        """Return a scheduler's state with its count as this release understands it."""
        count = state.get("last_epoch", 0)
        progress = self.progress() if isinstance(count, int) else None
        new = _recount(count, progress) if progress else count
        if new is None:
            how = "counts optimizer steps, this release micro-batches, and no file tells those"
            self.lost(file.title, f"{file.name} {how}")
        elif new != count:
            self.restored(file.title, f"{file.name}, its {count} steps as {new}")
            return {**state, "last_epoch": new, "_step_count": new + 1}
        return state

    def progress(self) -> _Progress | None:
        """Return how far training was; None where every release counts a scheduler alike."""
        accelerator, scheduler = self.accelerator, self.accelerator._schedulers[0]
        per_update = int(getattr(accelerator, "gradient_accumulation_steps", 1))
        processes = self.checkpoint.count("rng")
        prepared = getattr(scheduler, "step_with_optimizer", False)
        if per_update == 1 or not prepared or processes != accelerator.num_processes:
            return None
        states = (s for o in self.optimizers for s in getattr(o, "state", {}).values())
        updates = max((int(s["step"]) for s in states if "step" in s), default=0)
        each = 1 if getattr(accelerator, "split_batches", False) else processes
        step = self.saved_step()
        return _Progress(
            updates=updates * each,
            micro_batches=updates * each * per_update,
            at_update=None if step is None else step % per_update == 0,
            saved_early=step is None and _names("model", 0)[0] not in self.checkpoint.files,
            counted_in_updates=hasattr(scheduler, "gradient_state"),
        )

    def saved_step(self) -> Any:
        """Return `accelerator.step` from the random states, which accelerate loads last."""
        (name,) = _names("rng", self.accelerator.process_index)
        with contextlib.suppress(OSError, ResumeError, AttributeError):
            step = self.checkpoint.read(name).get("step")
            return step if isinstance(step, int) else None
        return None

    # While accelerate loads: the models.

    @contextlib.contextmanager
    def loading_models(self, strict: bool) -> Iterator[None]:
        """Load what the script's own hooks leave in `models`, in place of accelerate."""

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
        else:  # a release without hooks
            models = accelerator._models
            hook(list(models), str(self.checkpoint.path))
            accelerator._models = []
            try:
                yield
            finally:
                accelerator._models = models

    def load_model(self, model: Any, index: int, strict: bool) -> None:
        """Load a model from the file that belongs to this save."""
        title, checkpoint = _title("model", index), self.checkpoint
        safe, pickled = _names("model", index)
        both = safe in checkpoint.files and pickled in checkpoint.files
        # A later save in the other format leaves the old file behind, and accelerate goes on to
        # prefer safetensors. Every save writes the weights first, the optimizer after them.
        stale = both and checkpoint.in_order(safe, pickled, *_names("optimizer", 0))
        name = safe if safe in checkpoint.files and not stale else pickled
        try:
            if name == safe:
                weights = _map_safetensors(checkpoint.path / name)
            else:
                weights = checkpoint.read(name)
            live = model.state_dict()
            how = name + _rename_compiled(weights, live) + _fill_in_tied(weights, live)
            model.load_state_dict(weights, strict=strict)
        except (OSError, RuntimeError) as error:  # ResumeError is a RuntimeError
            self.lost(title, checkpoint.why_lost(name, error))
            return
        self.restored(title, how)
        newer = both and name == safe and checkpoint.in_order(safe, pickled)
        if newer and not _same(checkpoint.read(pickled), weights):
            how = f"{safe} was loaded, as accelerate does, but {pickled} is newer and differs"
            self.lost(title, f"{how}; delete the stale one")

    # While accelerate loads: sharded training.

    @contextlib.contextmanager
    def loading_sharded(self) -> Iterator[None]:
        """Under FSDP, load by torch what accelerate may lose, in its place."""
        accelerator = self.accelerator
        if str(accelerator.distributed_type.value) != "FSDP":
            yield
            return
        models, optimizers = accelerator._models, self.optimizers
        gathered = (
            not any(map(_is_flat, models)) and _names("optimizer", 0)[0] in self.checkpoint.files
        )
        if not gathered:  # else torch loads all of it here, whatever kind is set
            self.refuse_shards()
        for index, (model, optimizer) in enumerate(zip(models, optimizers)):
            self.load_sharded(model, getattr(optimizer, "optimizer", optimizer), index, gathered)
        titles = [_title("optimizer", index) for index in range(len(optimizers))]
        left = [one for one, title in zip(optimizers, titles) if title not in self.components]
        accelerator._models, accelerator._optimizers = [] if gathered else models, left
        try:
            yield
        finally:
            accelerator._models, accelerator._optimizers = models, optimizers
        for title in (*(_title("model", index) for index in range(len(models))), *titles):
            self.components.setdefault(title, Component("restored", "by accelerate"))
        for title, optimizer in zip(titles, optimizers):
            if title in self.saved_with_state and not optimizer.state:
                self.lost(title, "accelerate has read its state and loaded none of it")

    def refuse_shards(self) -> None:
        """Refuse shards where what is gathered is looked for.

        accelerate fails in the first process alone then, and the others may wait for it for ever.
        The reverse fails in all of them.
        """
        kind = getattr(self.accelerator.state.fsdp_plugin, "state_dict_type", None)
        path = self.checkpoint.path
        shards = any((path / (name + "_0")).is_dir() for name in FSDP_NAMES)
        gathered = any((path / (name + ".bin")).is_file() for name in FSDP_NAMES)
        if getattr(kind, "name", "") == "FULL_STATE_DICT" and shards and not gathered:
            raise ResumeError(
                f"{path} was saved with SHARDED_STATE_DICT, and FULL_STATE_DICT is set. Load with "
                'accelerator.state.fsdp_plugin.set_state_dict_type("SHARDED_STATE_DICT").'
            )

    def load_sharded(self, model: Any, optimizer: Any, index: int, gathered: bool) -> None:
        """Load shards of an optimizer, and what is gathered of FSDP2."""
        checkpoint, title = self.checkpoint, _title("optimizer", index)
        folder = checkpoint.path / f"optimizer_{index}"
        if folder.is_dir():
            self.components[title] = _load_shards(folder, model, optimizer)
        elif gathered:
            from torch.distributed.checkpoint import state_dict

            name = f"{FSDP_WEIGHTS}_{index}" if index else FSDP_WEIGHTS
            self.components[_title("model", index)] = _load_gathered(
                checkpoint,
                name + ".bin",
                lambda content, options: state_dict.set_model_state_dict(
                    model, content, options=options
                ),
            )
            self.components[title] = _load_gathered(
                checkpoint,
                _names("optimizer", index)[0],
                lambda content, options: state_dict.set_optimizer_state_dict(
                    model, optimizer, _unshared(content), options=options
                ),
            )

    # While accelerate loads: DeepSpeed.

    @contextlib.contextmanager
    def loading_engines(self) -> Iterator[None]:
        """Under DeepSpeed, hear what the engines say of their loads."""
        accelerator = self.accelerator
        if str(accelerator.distributed_type.value) != "DEEPSPEED":
            yield
            return
        engines = list(accelerator._models)
        for index, engine in enumerate(engines):
            engine.load_checkpoint = functools.partial(self.load_engine, engine, index)
        try:
            yield
        finally:
            for engine in engines:
                del engine.load_checkpoint  # what its class has is there again

    def load_engine(self, engine: Any, index: int, directory: str, tag: str, **kwargs: Any) -> Any:
        """Load an engine if it can be had whole, and note what its load says."""
        titles = _title("model", index), _title("optimizer", index)
        problem = _agreed(_why_not_loaded(engine, Path(directory), tag))
        if problem:
            for title in titles:
                self.lost(title, problem)
            return None, {}
        found = type(engine).load_checkpoint(engine, directory, tag, **kwargs)
        for title in titles:
            if found[0] is None:
                self.lost(title, f"DeepSpeed has loaded nothing from {tag}")
            else:
                self.restored(title, f"{tag}, by DeepSpeed")
        if not kwargs.get("load_optimizer_states", True) or kwargs.get("load_module_only"):
            self.lost(titles[1], "the arguments leave it out")
        if engine.load_universal_checkpoint() and _has_saved_buffers(engine.module):
            self.lost(titles[0], f"{tag} is universal, and of that DeepSpeed loads no buffers")
        return found

    # After accelerate: what its own load says nothing about.

    def custom_objects_differ(self) -> bool:
        """Return whether directory and script differ in the number of custom objects."""
        return self.checkpoint.count("custom") != len(self.accelerator._custom_objects)

    def load_common_custom_objects(self) -> None:
        """Load those that both sides have, where accelerate refuses all or skips all."""
        if not self.custom_objects_differ():
            return
        saved, registered = self.checkpoint.count("custom"), self.accelerator._custom_objects
        how = f"{saved} custom objects are saved, the script registers {len(registered)}"
        for index in range(max(saved, len(registered))):
            title, (name,) = _title("custom", index), _names("custom", index)
            self.lost(title, how)
            if name in self.checkpoint.files and index < len(registered):
                registered[index].load_state_dict(self.answer(self.checkpoint.path / name, "cpu"))
                if self.components[title].status == "restored":
                    self.restored(title, f"{name}, by its position; {how}")

    def note_what_was_not_asked_for(self) -> None:
        """Note dataloaders whose place or order is in no file, and files that nothing asked for."""
        for index, dataloader in enumerate(getattr(self.accelerator, "_dataloaders", ())):
            title, (name,) = _title("dataloader", index), _names("dataloader", index)
            if getattr(dataloader, "use_stateful_dataloader", False):
                how = f"{name} is missing: it starts from the beginning"
                self.components.setdefault(title, Component("lost", how))
            elif _is_seedable(dataloader):
                how = "no release saves a seedable sampler's epoch: call set_epoch(epoch) now"
                self.components.setdefault(title, Component("unsaved", how))
        for file in self.checkpoint.files.values():
            if file.component not in ("rng", "sampler"):
                how = f"{file.name} was not asked for: nothing is prepared that it belongs to"
                self.components.setdefault(file.title, Component("lost", how))

    def restore_random_states(self) -> None:
        """Set all random states at the end, so that nothing has drawn since, and compare."""
        process, states = self.accelerator.process_index, self.random_states
        (name,) = _names("rng", process)
        unread = self.components.pop(_title("rng", process), None)
        for title, stream in _STREAMS.items():
            key = RANDOM_STATE_KEYS[title]
            if title == "rng.cuda" and not torch.cuda.is_available():
                continue  # no GPU here that could draw
            if title == "rng.cuda" and states and not states.get(key):
                outcome = Component("unsaved", f"{name} was written without a GPU")
            elif key in states:
                outcome = stream.restore(states[key], name)
            else:
                outcome = unread or Component("lost", f"{name} has no {key}")
            self.components[title] = outcome
        if unread:
            self.components["step"] = unread

    def restore_step(self, given: int | None) -> None:
        """Set `accelerator.step` to what was saved, otherwise to what the caller gives."""
        (name,) = _names("rng", self.accelerator.process_index)
        if not isinstance(self.random_states.get("step", 0), int):
            self.lost("step", f"{name} holds a step that is no number")
        elif "step" in self.random_states or given is not None:
            self.accelerator.step = self.random_states.get("step", given)
            self.restored("step", name if "step" in self.random_states else "the argument step")
        else:
            how = f"written before accelerate {RELEASES['step saved']}; give step= to set it"
            self.components.setdefault("step", Component("unsaved", f"{name} has none: {how}"))

    def continue_naming(self) -> None:
        """Let automatic naming go on after this checkpoint instead of overwriting from 0."""
        configuration: Any = getattr(self.accelerator, "project_configuration", None)
        match = _AUTOMATIC_NAME.fullmatch(self.checkpoint.path.name)
        if match and getattr(configuration, "automatic_checkpoint_naming", False):
            configuration.iteration = int(match[1]) + 1
            self.restored("save_iteration", f"the next is checkpoint_{configuration.iteration}")


def _is_seedable(dataloader: Any) -> bool:
    """Return whether a seed and an epoch decide its order (0.25 always, since 0.26 by request)."""
    batches = getattr(dataloader, "batch_sampler", None)
    sampler = getattr(getattr(batches, "batch_sampler", batches), "sampler", None)
    return type(sampler).__name__ == "SeedableRandomSampler"


# Fully sharded training. accelerate reads the shards of an optimizer into its state dict: before
# the first step without any state, so that nothing is read and nothing said (FSDP1 from 1.7.0 on,
# FSDP2 from 1.6.0 up to 1.12.0). Of FSDP2's gathered weights the first process waits, in 1.7.0 to
# 1.8.1, for others that have gone on. FSDP1's gathered files it loads whole.


def _is_flat(model: Any) -> bool:
    """Return whether it is FSDP1's, with flat parameters."""
    return any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules())


def _load_shards(folder: Path, model: Any, optimizer: Any) -> Component:
    """Load an optimizer from a folder of shards."""
    from torch.distributed import checkpoint as shards
    from torch.distributed.checkpoint import state_dict
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner

    # This one gives the optimizer a state first, for the shards to be read into.
    content = {"optimizer": state_dict.get_optimizer_state_dict(model, optimizer)}
    # Where a process holds nothing of a tensor, flattening makes torch take it for an old file.
    planner = DefaultLoadPlanner(flatten_sharded_tensors=False)
    reader = shards.FileSystemReader(str(folder))
    groups = content["optimizer"]["param_groups"]
    try:
        newer = _not_saved(groups, reader.read_metadata().state_dict_metadata)
        shards.load(content, storage_reader=reader, planner=planner)
    except (CheckpointException, OSError, RuntimeError, ValueError, KeyError) as error:
        return Component("lost", f"{folder.name} can't be read: {error}")
    for group, own in zip(content["optimizer"]["param_groups"], newer):
        group.update(own)
    state_dict.set_optimizer_state_dict(model, optimizer, content["optimizer"])
    stay = ", ".join(sorted({key for own in newer for key in own}))
    note = f"; {stay}: not in it, as they are" if stay else ""
    return Component("restored", f"{folder.name}, by torch{note}")


def _not_saved(groups: Any, saved: Iterable[str]) -> list[dict[str, Any]]:
    """Take out of an optimizer's groups, and return, what shards with these names do not have.

    Newer torch gives its optimizers further keys, and asks shards for each, where a file of
    `torch.save` may lack them (pytorch#146157). Those of which nothing is known stay in.
    """
    every = [name.split(".") for name in saved]
    found: list[dict[str, Any]] = []
    for number, group in enumerate(groups):
        place = ["optimizer", "param_groups", str(number)]
        known = {name[3] for name in every if name[:3] == place and len(name) > 3}
        lacking = [key for key in group if key not in known] if "lr" in known else []
        found.append({key: group.pop(key) for key in lacking})
    return found


def _unshared(content: Any) -> Any:
    """Return an optimizer's state in which no two parameters have one tensor in common.

    FSDP1 saves one count of steps for all that it keeps flat together; as parameters of their own
    (FSDP2) they would all count on in it.
    """
    state = {
        name: {slot: v.clone() if isinstance(v, torch.Tensor) else v for slot, v in slots.items()}
        for name, slots in content.get("state", {}).items()
    }
    return {**content, "state": state} if state else content


def _load_gathered(
    checkpoint: _Checkpoint, name: str, load: Callable[[Any, Any], Any]
) -> Component:
    """Load what was gathered into one file, which the first process reads for all."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions

    content: Any = {}
    problems = [""]
    if torch.distributed.get_rank() == 0:
        try:
            content = checkpoint.read(name)
        except (OSError, ResumeError) as error:
            problems = [checkpoint.why_lost(name, error)]
    torch.distributed.broadcast_object_list(problems)
    if problems[0]:
        return Component("lost", problems[0])
    load(content, StateDictOptions(full_state_dict=True, broadcast_from_rank0=True))
    return Component("restored", f"{name}, by torch")


# DeepSpeed. Each process loads files of its own, and where one is missing raises alone, when the
# others have loaded theirs; another number of processes it refuses when it has the weights.


def _agreed(problem: str) -> str:
    """Return the first problem that any process has: all of them load, or none does."""
    problems = [problem] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(problems, problem)
    return next(filter(None, problems), "")


def _has_saved_buffers(model: Any) -> bool:
    """Return whether a model has buffers that belong to its state."""
    return any(
        buffer is not None and name not in module._non_persistent_buffers_set
        for module in model.modules()
        for name, buffer in module._buffers.items()
    )


def _why_not_loaded(engine: Any, directory: Path, tag: str) -> str:
    """Return why DeepSpeed would not load it whole here; empty if all files are there."""
    folder = directory / tag
    if not engine._get_all_ckpt_names(str(directory), tag):
        return f"{tag} holds no weights for process {torch.distributed.get_rank()}"
    if engine.load_universal_checkpoint():
        return _why_not_universal(engine, folder)
    if not engine.zero_optimization():
        return ""  # the optimizer is in one file with the weights
    own = Path(engine._get_zero_ckpt_name(str(directory), tag)).name
    early = own.replace("_optim_states", "optim_states")
    rank = re.compile(r"(zero_pp_rank_)\d+(.*)")
    saved = len({*folder.glob(rank.sub(r"\1*\2", own)), *folder.glob(rank.sub(r"\1*\2", early))})
    if saved == engine.seq_dp_world_size and any((folder / n).is_file() for n in (own, early)):
        return ""
    if (folder / "zero").is_dir():
        return f"{tag} is universal: set load_universal in DeepSpeed's configuration of checkpoints"
    return (
        f"{tag} holds an optimizer's states of {saved} process(es), this run has "
        f"{engine.seq_dp_world_size}; DeepSpeed loads those of another number only after "
        "deepspeed/checkpoint/ds_to_universal.py"
    )


def _why_not_universal(engine: Any, folder: Path) -> str:
    """The same for DeepSpeed's universal form: a folder of every parameter, with the same files."""
    if not (folder / "zero" / "optimizer_state.pt").is_file():
        return f"{folder.name} is not universal, and load_universal is set"
    parameters = (name for name, p in engine.module.named_parameters() if p.requires_grad)
    held = {name: {p.name for p in folder.glob(f"zero/{name}/*.pt")} for name in parameters}
    every = set().union({"fp32.pt"}, *held.values())
    for name, files in held.items():
        if files != every:
            return f"{folder.name}/zero/{name} lacks {', '.join(sorted(every - files))}"
    return ""


# Scheduler counts. Under gradient accumulation a prepared scheduler steps with every update of the
# optimizer since RELEASES["scheduler counts updates"], and with every micro-batch before.


class _Progress(NamedTuple):
    """How far training was at the save, and what is known about the two releases."""

    updates: int  # what a scheduler counts that steps with every update, by the optimizer's count
    micro_batches: int  # what it counts if it steps with every micro-batch
    at_update: bool | None  # whether the save was right after an update; None if no file says
    saved_early: bool  # whether the release that wrote the directory may count micro-batches
    counted_in_updates: bool  # whether this release counts updates


def _recount(count: int, progress: _Progress) -> int | None:
    """Return a scheduler's count in the unit of this release; None if no file says it."""
    if progress.counted_in_updates:
        in_micro_batches = progress.updates < count <= progress.micro_batches
        return progress.updates if progress.saved_early and in_micro_batches else count
    if count == 0 or count != progress.updates:
        return count  # it is of micro-batches
    if progress.at_update is None:
        return None
    return progress.micro_batches if progress.at_update else count


# Random states.


class _Stream(NamedTuple):
    """A generator of random numbers."""

    get: Callable[[], Any]
    set: Callable[[Any], str | None]  # returns what is to be said of a state that fits in part

    def restore(self, state: Any, name: str) -> Component:
        """Set a state from the file `name`, and compare."""
        try:
            partly = self.set(state)
            same = partly or _as_numbers(self.get()) == _as_numbers(state)
        except (TypeError, ValueError, LookupError, AttributeError, RuntimeError) as error:
            return Component("lost", f"{name}: {error}")
        return Component("restored" if same else "lost", f"{name}{partly or ''}")


def _set_cuda(states: Any) -> str:
    """Set as many devices as both sides have; say so where the counts differ."""
    here = torch.cuda.device_count()
    for index, state in enumerate(states[:here]):
        # torch up to 2.0 put 800 unused bytes before seed and offset (pytorch#109383).
        size = torch.cuda.get_rng_state(index).numel()
        torch.cuda.set_rng_state(state[-size:] if state.numel() == 816 else state, index)
    if here != len(states):
        return f", {min(here, len(states))} of {len(states)} GPUs' states used, {here} GPUs here"
    return ""


_STREAMS = {
    "rng.python": _Stream(
        random.getstate, lambda state: random.setstate((state[0], tuple(state[1]), state[2]))
    ),
    "rng.numpy": _Stream(np.random.get_state, np.random.set_state),
    "rng.torch": _Stream(torch.get_rng_state, torch.set_rng_state),
    "rng.cuda": _Stream(torch.cuda.get_rng_state_all, _set_cuda),
}


def _as_numbers(state: Any) -> Any:
    """Return a state as numbers in tuples, so that arrays, tensors and lists compare."""
    if isinstance(state, (torch.Tensor, np.ndarray)):
        return tuple(state.tolist())
    if isinstance(state, (tuple, list)):
        return tuple(_as_numbers(part) for part in state)
    return state


# Weights.


def _map_safetensors(path: Path) -> dict[str, Any]:
    """Return the tensors of a safetensors file, mapped and not copied: the model copies them.

    The format is read here, as accelerate before 0.25.0 brings no safetensors along.
    """
    with _open(path) as file:
        size = os.fstat(file.fileno()).st_size
        start = 8 + int.from_bytes(file.read(8), "little")
        if size < 8:
            raise UnsafeFileError(f"{path} is truncated or damaged: {size} bytes")
        if start > min(size, 8 + _LONGEST_HEADER):
            raise UnsafeFileError(f"{path} is truncated or damaged: its header")
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except OSError as error:
            raise UnsafeFileError(f"{path} of {size} bytes can't be mapped: {error}") from error
    try:
        header: Any = json.loads(content[8:start], object_pairs_hook=_each_once)
        entries = {name: info for name, info in header.items() if name != "__metadata__"}
    except (ValueError, AttributeError, RecursionError) as error:
        raise UnsafeFileError(f"{path} is truncated or damaged: its header") from error
    tensors = {}
    kinds = {code: getattr(torch, name, None) for code, name in SAFETENSORS_DTYPES.items()}
    widths = {k: torch.empty(0, dtype=k).element_size() for k in kinds.values() if k is not None}
    for name, info in entries.items():
        try:
            kind = kinds.get(info["dtype"])
            if kind is None:
                raise ValueError(f"this torch has no dtype for {info['dtype']}")
            tensors[name] = _mapped(content, start, info, kind, widths[kind])
        except (ValueError, TypeError, LookupError, RuntimeError) as error:
            raise UnsafeFileError(f"{path} is truncated or damaged at {name}: {error}") from error
    end = 0
    for begin, after in sorted(tuple(info["data_offsets"]) for info in entries.values()):
        if begin != end:
            raise UnsafeFileError(f"{path} is damaged: its tensors overlap, or leave gaps")
        end = after
    if start + end != size:
        raise UnsafeFileError(f"{path} is damaged: it holds more than its tensors")
    return tensors


_LONGEST_HEADER = 16 << 20
"""Bytes; a tensor takes about 100 of them."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; of a key that is there twice, programs take one or the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _mapped(
    content: mmap.mmap, start: int, info: Mapping[str, Any], dtype: torch.dtype, width: int
) -> torch.Tensor:
    """Return the tensor that an entry of the header describes, of elements of `width` bytes."""
    (begin, end), shape = info["data_offsets"], info["shape"]
    count = math.prod(shape)
    if len(shape) > 64:
        raise ValueError("it has more dimensions than torch knows")
    inside = 0 <= begin <= end <= len(content) - start
    if not inside or end - begin != count * width:
        raise ValueError("it lies outside of the file, or is of another size")
    if not count:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(content, dtype=dtype, count=count, offset=start + begin).reshape(shape)


def _rename_compiled(weights: dict[str, Any], live: Mapping[str, Any]) -> str:
    """Give or take `torch.compile`'s prefix, as the names in the model are; say so if done."""
    bare = {name.replace("_orig_mod.", ""): name for name in live}
    renamed = {bare.get(name.replace("_orig_mod.", ""), name): name for name in weights}
    if set(renamed) == set(weights):
        return ""
    for new, old in renamed.items():
        weights[new] = weights.pop(old)
    return ", torch.compile's prefix changed"


def _fill_in_tied(weights: dict[str, Any], live: Mapping[str, Any]) -> str:
    """Add the tied weights that the file left out; say which."""
    tensors = {n: t for n, t in live.items() if isinstance(t, torch.Tensor) and not t.is_meta}
    places = {name: _place(tensor) for name, tensor in tensors.items()}
    saved = {places[name]: name for name in weights if name in places}
    tied = [n for n, place in places.items() if n not in weights and place in saved]
    weights.update({name: weights[saved[places[name]]] for name in tied})
    return f", tied: {', '.join(tied)}" if tied else ""


def _place(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Return what is equal for two tensors that are the same piece of memory."""
    return (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())


def _same(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Return whether two state dicts hold the same bits under the names that both have."""
    pairs = ((left[n], right[n]) for n in left if n in right)
    return all(
        torch.equal(*(t.contiguous().reshape(-1).view(torch.uint8) for t in pair))
        for pair in pairs
        if isinstance(pair[0], torch.Tensor)
    )


# Torch archives, read without running anything that is in them.


def read(path: Any, map_location: Any = None, allow: Sequence[Any] = ()) -> Any:
    """Return the content of a file of `torch.save`: tensors, numpy arrays and plain containers.

    Works alike on every torch, which `weights_only=True` does not: before torch 2.4 nothing can be
    added to its list, before 2.6 not numpy's other spelling, and up to 2.5.1 it can be circumvented
    by a file in the format from before torch 1.6 (CVE-2025-32434), which is refused here.

    Args:
        path: the file.
        map_location: as for `torch.load`; the CPU if not given.
        allow: further classes and functions that the file may name.

    Raises:
        OSError: the file can't be opened.
        UnsafeFileError: the file names anything else, is damaged, or asks for more memory than what
            it holds can need.
    """
    torch_files = torch.serialization
    try:  # what torch.load does after choosing; in 1.13 it does not choose the module it is given
        with _open(path) as file:
            sizes = _records(file, path)
            file.seek(0)
            allowed = _allowed(allow)
            named: dict[int, list[str]] = {}
            for name, value in allowed.items():
                named.setdefault(id(value), []).append(name)
            table = {
                "path": path,
                "sizes": sizes,
                "allowed": allowed,
                "named": named,
                "dispatch": _Counted(_Unpickler.dispatch),
                "left": _SPARE + _EXPANDED * sum(sizes.values()),
            }
            unpickler = type("Unpickler", (_Unpickler,), table)
            module: Any = types.SimpleNamespace(__name__="ckptmatrix.resume", Unpickler=unpickler)
            with torch_files._open_zipfile_reader(file) as archive:
                if set(archive.get_all_records()) != set(sizes):
                    raise UnsafeFileError(f"{path}: torch finds other records in it")
                return torch_files._load(archive, map_location or "cpu", module, encoding="utf-8")
    except (ResumeError, OSError):
        raise
    except Exception as error:
        raise UnsafeFileError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def _records(file: Any, path: Any) -> dict[str, int]:
    """Return what `archive_records` does; raise UnsafeFileError with the path."""
    try:
        sizes = archive_records(file)
    except ValueError as error:
        raise UnsafeFileError(f"{path} is {error}") from error
    if sizes["data.pkl"] > _LONGEST_PICKLE:
        raise UnsafeFileError(
            f"{path} has a pickle of {sizes['data.pkl']} bytes; the limit is {_LONGEST_PICKLE}"
        )
    return sizes


def _open(path: Any) -> BinaryIO:
    """Open a regular file; raise for anything else, of which a pipe would wait for its writer."""
    file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise UnsafeFileError(f"{path} is no regular file")


# The archive's layout (doctor.py has the same), as `torch.save` writes it and no other: torch's
# reader and others see other records in a file that is made for it, so every byte outside the data
# must be where it belongs.

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


# What the pickle in it may ask for.


def _encode(text: str, encoding: str) -> bytes:
    """Return bytes as pickle protocol 2 spells them; no other codec is needed."""
    if encoding not in ("latin1", "latin-1"):
        raise UnsafeFileError(f"encoding {encoding} is not allowed")
    return text.encode("latin1")


def _plain_tensor(rebuild: Callable[..., Any], _: Any, arguments: Any, __: Any) -> Any:
    """Return a tensor to which FSDP gave attributes, without them."""
    if rebuild is not torch._utils._rebuild_tensor_v2 or not _fits(*arguments):
        raise UnsafeFileError("a tensor with attributes is made as torch.save makes none")
    return rebuild(*arguments)


def _dtype(code: str, *_: Any) -> Any:
    """Return a dtype of numbers or text; never one of objects or fields, which can be forged."""
    if not re.fullmatch(r"[<>=|]?[?biufcSU]\d{0,6}", code):
        raise UnsafeFileError(f"numpy dtype {code} is not allowed")
    return np.dtype(code)


def _allowed(extra: Sequence[Any]) -> dict[str, Any]:
    """Return global name -> what it stands for: what is harmless or allowed in this process."""
    allowed = {f"torch.{n}": v for n, v in vars(torch).items() if isinstance(v, torch.dtype)}
    allowed.update({"_codecs.encode": _encode, "numpy.dtype": _dtype})
    allowed["torch._tensor._rebuild_from_type_v2"] = _plain_tensor
    for core in ("numpy.core", "numpy._core"):  # of which this numpy has one
        allowed[core + ".multiarray._reconstruct"] = np.zeros(0).__reduce__()[0]
        allowed[core + ".multiarray.scalar"] = np.float64(0).__reduce__()[0]
    for path in set(HARMLESS_NAMES).difference(allowed):
        module, _, name = path.rpartition(".")
        if hasattr(sys.modules[module], name):  # not every torch has each
            allowed[path] = getattr(sys.modules[module], name)
    known: Any = getattr(torch.serialization, "get_safe_globals", list)()  # torch 2.4
    for entry in (*known, *extra):
        value, path = entry if isinstance(entry, tuple) else (entry, "")
        allowed.setdefault(path or f"{value.__module__}.{value.__qualname__}", value)
    return allowed


def _fits(storage: Any, offset: int, size: Any, stride: Any, *rest: Any) -> bool:
    """Return whether a tensor lies within its storage, which torch would make larger for it."""
    if len(size) != len(stride) or min((offset, *size, *stride)) < 0:
        return False
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    dtype = next((part for part in rest if isinstance(part, torch.dtype)), storage.dtype)
    width = torch.empty(0, dtype=dtype).element_size()
    held = getattr(storage, "_untyped_storage", storage)  # torch 1.13 has it typed alone
    return 0 in size or (last + 1) * width <= held.nbytes()


def _is_key(value: Any) -> bool:
    """Return whether a value is hashed in no time: tuples in tuples can take for ever, or kill."""
    pending = [value]
    for _ in range(_LONGEST_KEY):
        if not pending:
            return True
        part = pending.pop()
        if isinstance(part, (tuple, frozenset)):
            if len(part) > _LONGEST_KEY:
                return False
            pending.extend(part)
    return not pending


_LONGEST_KEY = 100
"""Parts of a key of a dict, or of a member of a set."""


def _is_made_of_keys(*arguments: Any) -> bool:
    return _is_made_of_one(*arguments) and all(_is_key(key) for a in arguments for key in a)


def _is_made_of_pairs(*arguments: Any) -> bool:
    pairs = [pair for a in arguments for pair in (a.items() if isinstance(a, dict) else a)]
    return _is_made_of_one(*arguments) and all(_is_key(key) for key, _ in pairs)


def _is_made_of_one(*arguments: Any) -> bool:
    return len(arguments) < 2 and all(isinstance(a, (list, tuple, dict)) for a in arguments)


_FORMS: Mapping[str, Callable[..., bool]] = {
    "torch._utils._rebuild_tensor": _fits,
    "torch._utils._rebuild_tensor_v2": _fits,
    "torch._utils._rebuild_tensor_v3": _fits,
    "torch._utils._rebuild_parameter": lambda data, *_: isinstance(data, torch.Tensor),
    "torch.Size": lambda sizes: all(type(size) is int for size in sizes),
    "torch.device": lambda kind, *index: isinstance(kind, str),
    "numpy.dtype": lambda code, *_: isinstance(code, str),
    "numpy._core.multiarray._reconstruct": lambda kind, shape, _: (
        kind is np.ndarray and shape == (0,)
    ),
    "numpy._core.multiarray.scalar": lambda dtype, data: isinstance(data, bytes),
    "_codecs.encode": lambda text, encoding: isinstance(text, str),
    "collections.OrderedDict": _is_made_of_pairs,
    "collections.Counter": _is_made_of_keys,
    "collections.defaultdict": lambda *factory: (
        len(factory) < 2 and all(f in (None, int, float, list, dict, set, str) for f in factory)
    ),
    "collections.deque": lambda *a: _is_made_of_one(*a[:1]) and len(a) < 3,
    "builtins.set": _is_made_of_keys,
    "builtins.frozenset": _is_made_of_keys,
    "builtins.complex": lambda *parts: all(type(part) in (int, float) for part in parts),
    "builtins.slice": lambda *parts: len(parts) == 3,
    "builtins.bytes": lambda: True,
    "builtins.bytearray": lambda *a: not a or isinstance(a[0], (bytes, str)),
}
"""Harmless name -> whether a call of it is one that a checkpoint makes. Any other may be named and
not called: a type, or what takes memory for the asking."""
_NAMED = frozenset(HARMLESS_NAMES)
_LONGEST_PICKLE = 32 << 20
"""Bytes; a tensor takes about 200 of them."""
_OPCODES = 4_000_000
"""Most steps of one pickle; a tensor takes about 36. Each may make a list of 64 bytes."""
_SPARE, _EXPANDED = 1 << 24, 16
"""What a file may expand to: so many bytes, and its own so many times. Tensors may share storages
or repeat them, and containers be made of containers, of which each member counts as 8 bytes. What
is called, and sets, count as what they take."""

_Machine: Any = pickle._Unpickler  # the one written in Python


_FILLING = {
    pickle.APPEND: 2, pickle.SETITEM: 3, pickle.APPENDS: 0, pickle.SETITEMS: 0, pickle.ADDITEMS: 0,
}  # fmt: skip
"""Opcode that puts something into an object -> where that is on the stack; 0: below the mark."""


def _filling(opcode: bytes, depth: int) -> Callable[[Any], None]:
    """Return the step for such an opcode, for containers: in a tensor it would be an index."""
    load = _Machine.dispatch[opcode[0]]

    def filled(machine: Any) -> None:
        target = machine.stack[-depth] if depth else machine.metastack[-1][-1]
        own = (kind for name, kind in machine.allowed.items() if name not in _NAMED)
        if not isinstance(target, _CONTAINERS) and not any(type(target) is kind for kind in own):
            machine.refuse()
        load(machine)

    return filled


_CONTAINERS = (dict, list, set, collections.deque)
_HASHED: Mapping[bytes, Callable[[Any], Sequence[Any]]] = {
    pickle.SETITEM: lambda machine: machine.stack[-2:-1],
    pickle.SETITEMS: lambda machine: machine.stack[::2],
    pickle.DICT: lambda machine: machine.stack[::2],
    pickle.ADDITEMS: lambda machine: machine.stack,
    pickle.FROZENSET: lambda machine: machine.stack,
}
"""Opcode that hashes something -> what."""


def _hashing(opcode: bytes, load: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return the step for such an opcode, for keys that can be hashed."""

    def hashed(machine: Any) -> None:
        if not all(map(_is_key, _HASHED[opcode](machine))):
            raise UnsafeFileError(f"{machine.path} has a key of more than {_LONGEST_KEY} parts")
        load(machine)

    return hashed


class _Counted(dict):  # type: ignore[type-arg]  # not to be subscripted in Python 3.8
    """Opcode -> step of the machine, for so many steps."""

    left = _OPCODES

    def __getitem__(self, opcode: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise OverflowError(f"more than {_OPCODES} pickle opcodes")
        return super().__getitem__(opcode)


class _Unpickler(_Machine):  # type: ignore[misc]  # Any is its base
    """Pickle's own machine, without its reach: globals from a table, called in known forms alone,
    storages within the file."""

    path: str
    sizes: dict[str, int]
    allowed: dict[str, Any]
    named: dict[int, list[str]]  # identity of what is allowed -> its names
    left: int
    dispatch: ClassVar[dict[int, Any]] = dict(_Machine.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        full = f"{'builtins' if module == '__builtin__' else module}.{name}"
        if full not in self.allowed:
            raise UnsafeFileError(
                f"{self.path} names {full}, which is not on the allow list; if you trust it, pass "
                f"it by allow=, or the file's name by unsafe= (which runs any code in it)"
            )
        return self.allowed[full]

    def refuse(self, *_: Any) -> None:
        """Refuse what torch.save does not write: extension codes, calls by other opcodes."""
        raise UnsafeFileError(f"{self.path} makes something in a way that torch.save does not")

    get_extension = refuse

    def load_reduce(self) -> None:
        """Call what is in the table, with arguments that a checkpoint has."""
        function, arguments = self.stack[-2], self.stack[-1]
        names = self.named.get(id(function))
        if not names or not isinstance(arguments, tuple):
            raise UnsafeFileError(f"{self.path} calls {str(function)[:80]}")
        if names[0] in _NAMED:
            form = next((_FORMS[name] for name in names if name in _FORMS), None)
            self.spend(8 * sum(len(a) for a in arguments if isinstance(a, (list, dict))))
            try:
                right = form is not None and form(*arguments)
            except (TypeError, AttributeError):
                right = False
            if not right:
                raise UnsafeFileError(f"{self.path} calls {names[0]} as no checkpoint does")
        super().load_reduce()
        made = self.stack[-1]
        self.spend(sys.getsizeof(made))
        if isinstance(made, torch.Tensor):
            self.spend(made.numel() * made.element_size())

    def spend(self, size: int) -> None:
        """Count bytes that the content comes to."""
        self.left -= size
        if self.left < 0:
            raise UnsafeFileError(f"{self.path} expands to many times its size")

    def load_empty_set(self) -> None:
        """Make a set, which takes some 200 bytes for the one that asks for it."""
        self.spend(sys.getsizeof(set()))
        super().load_empty_set()

    def load_newobj(self) -> None:
        """Make an object of a class that the caller allows; no harmless one is made like that."""
        if not _NAMED.isdisjoint(self.named.get(id(self.stack[-2]), ())):
            self.refuse()
        super().load_newobj()

    def load_build(self) -> None:
        """Set an object's state; never that of a class or function, which outlive this file."""
        state, target = self.stack[-1], self.stack[-2]
        if isinstance(target, np.dtype):
            self.stack[-2:] = [target.newbyteorder(state[1])]
        elif id(target) in self.named:
            raise UnsafeFileError(f"{self.path} changes {target!r}")
        elif isinstance(target, torch.Tensor):
            self.refuse()
        else:
            super().load_build()

    def load_binpersid(self) -> None:
        """Load a storage no larger than its record, which torch before 2.10 did not check."""
        _, kind, key, _, count = self.stack[-1]
        dtype = getattr(kind, "dtype", None)
        width = torch.empty(0, dtype=dtype).element_size() if dtype is not None else 1
        if not 0 <= count * width <= self.sizes.get(f"data/{key}", -1):
            raise UnsafeFileError(f"{self.path} is truncated or damaged: record data/{key}")
        super().load_binpersid()

    for _opcode, _load in {
        pickle.REDUCE: load_reduce,
        pickle.NEWOBJ: load_newobj,
        pickle.BUILD: load_build,
        pickle.EMPTY_SET: load_empty_set,
        pickle.BINPERSID: load_binpersid,
        **{code: _Machine.dispatch[code[0]] for code in _HASHED},
        **{code: _filling(code, depth) for code, depth in _FILLING.items()},
        # Before Python 3.11 numbers as text take time by the square of their length; for
        # BYTEARRAY8 memory is taken before its bytes are looked for.
        **dict.fromkeys((pickle.INT, pickle.LONG, pickle.BYTEARRAY8), refuse),
        **dict.fromkeys((pickle.NEWOBJ_EX, pickle.INST, pickle.OBJ, pickle.PERSID), refuse),
    }.items():
        dispatch[_opcode[0]] = _hashing(_opcode, _load) if _opcode in _HASHED else _load
