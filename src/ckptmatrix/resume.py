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

The file stands alone (standard library, torch, numpy and accelerate; Python 3.8) and can be copied
into a project. Read it from top to bottom: facts about checkpoints, `load_state`, the steps that it
takes in their order, then what they use: scheduler counts, random states, weights, torch archives.
"""

from __future__ import annotations

import contextlib
import fnmatch
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
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Literal

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
    with load.answering_torch_load(), load.loading_models(model_strict):
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
            pattern = re.escape(template).replace(r"\[_N\]", r"(?:_(\d+))?").replace("N", r"(\d+)")
            match = re.fullmatch(pattern, name)
            if match:
                return _File(name, component, int(next(filter(None, match.groups()), 0)))
    return None


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

    def read(self, name: str, map_location: Any = None) -> Any:
        """Return the content of a pickled file."""
        path = self.path / name
        if any(fnmatch.fnmatch(name, pattern) for pattern in self.unsafe):
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
        if file is None:
            return self.checkpoint.torch_load(f, map_location, *args, **kwargs)
        try:
            content = self.checkpoint.read(file.name, map_location)
        except (OSError, ResumeError) as error:
            self.lost(file.title, self.checkpoint.why_lost(file.name, error))
            return self.present_state(file)
        if file.component == "rng":
            self.random_states = content
            return {"step": self.accelerator.step, RANDOM_STATE_KEYS["rng.cuda"]: [], **content}
        self.restored(file.title, file.name)
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
        progress = self.progress()
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
        states = (s for o in accelerator._optimizers for s in getattr(o, "state", {}).values())
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
        with contextlib.suppress(OSError, ResumeError):
            return self.checkpoint.read(name).get("step")
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
        if "step" in self.random_states or given is not None:
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
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
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
        tensor = torch.empty(0, dtype=dtype)
        if not (0 <= begin <= end <= size - start and end - begin == count * tensor.element_size()):
            raise UnsafeFileError(f"{path} is truncated or damaged at {name}")
        if count:
            tensor = torch.frombuffer(content, dtype=dtype, count=count, offset=start + begin)
        tensors[name] = tensor.reshape(info["shape"])
    return tensors


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
        UnsafeFileError: the file names anything else, or is damaged.
    """
    table = {"path": path, "sizes": _record_sizes(path), "allowed": _allowed(allow)}
    unpickler = type("Unpickler", (_Unpickler,), table)
    module: Any = types.SimpleNamespace(__name__="ckptmatrix.resume", Unpickler=unpickler)
    torch_files = torch.serialization
    try:  # what torch.load does after choosing; in 1.13 it does not choose the module it is given
        with open(path, "rb") as file, torch_files._open_zipfile_reader(file) as archive:  # noqa: PTH123
            return torch_files._load(archive, map_location or "cpu", module, encoding="utf-8")
    except ResumeError:
        raise
    except Exception as error:
        raise UnsafeFileError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def _record_sizes(path: Any) -> dict[str, int]:
    """Return the size of each record in bytes; raise if torch.save does not write such a file."""
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
    return sizes


def _encode(text: str, encoding: str) -> bytes:
    """Return bytes as pickle protocol 2 spells them; no other codec is needed."""
    if encoding != "latin1":
        raise UnsafeFileError(f"encoding {encoding} is not allowed")
    return text.encode("latin1")


def _dtype(code: str, *_: Any) -> Any:
    """Return a dtype of numbers or text; never one of objects or fields, which can be forged."""
    if not re.fullmatch(r"[<>=|]?[?biufcSU]\d*", code):
        raise UnsafeFileError(f"numpy dtype {code} is not allowed")
    return np.dtype(code)


def _allowed(extra: Sequence[Any]) -> dict[str, Any]:
    """Return global name -> what it stands for: what is harmless or allowed in this process."""
    allowed = {f"torch.{n}": v for n, v in vars(torch).items() if isinstance(v, torch.dtype)}
    allowed.update({"_codecs.encode": _encode, "numpy.dtype": _dtype})
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


_Machine: Any = pickle._Unpickler  # the one written in Python


class _Unpickler(_Machine):  # type: ignore[misc]  # Any is its base
    """Pickle's own machine, without its reach: globals from a table, storages within the file."""

    path: str
    sizes: dict[str, int]
    allowed: dict[str, Any]
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
        """Load a storage no larger than its record, which torch before 2.10 did not check."""
        _, kind, key, _, count = self.stack[-1]
        dtype = getattr(kind, "dtype", None)
        width = torch.empty(0, dtype=dtype).element_size() if dtype is not None else 1
        if not 0 <= count * width <= self.sizes.get(f"data/{key}", -1):
            raise UnsafeFileError(f"{self.path} is truncated or damaged: record data/{key}")
        super().load_binpersid()

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BINPERSID[0]] = load_binpersid
