"""A training script that is led step by step: it runs, and stands still where accelerate is called.

The script runs in a thread of its own, since a call in the midst of a function can be held up in no
other way; only one of the two threads ever runs. accelerate's classes are wrapped in the process of
one cell alone, which ends with it. What is under test is not changed: each wrapper tells that it
was called and hands on the call.
"""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, NamedTuple, Union

import torch
from accelerate import Accelerator, data_loader

from ckptmatrix.worker.measured import Step
from ckptmatrix.worker.tracing import Batch, step_of


class Loading(NamedTuple):
    """The script calls `accelerator.load_state`, for the first time."""

    directory: Any
    """What it names."""


class Loaded(NamedTuple):
    """That has returned."""


class Iterating(NamedTuple):
    """The script begins to iterate over a dataloader."""


class Stepping(NamedTuple):
    """The script calls `accelerator.backward`."""

    step: Step
    """What is recorded of it."""


class Yielded(NamedTuple):
    """The script says that it has saved."""

    directory: Any
    """Where, if it says so; else where `save_state` put it last."""


class Ended(NamedTuple):
    """The script is over."""


Event = Union[Loading, Loaded, Iterating, Stepping, Yielded, Ended]

LoadState = Callable[..., object]
"""Called as `Accelerator.load_state` is, with the accelerator in front."""


class Watched:
    """A script that stands still but within `advance`.

    Args:
        start: calls the script's function; what that gives is iterated over.

    Attributes:
        accelerators: those that it has made.
        failed_save: what `save_state` raised.
        script: the running generator; None before its first step.
    """

    def __init__(self, start: Callable[[], Iterator[Any]]) -> None:
        self.accelerators: list[Any] = []
        self.failed_save: BaseException | None = None
        self.script: Any = None
        self._start = start
        self._load: LoadState | None = None
        self._loads = 0
        self._fetching: deque[Any] | None = None
        self._batches: dict[int, Batch] = {}
        self._saved: Any = None
        self._events: SimpleQueue[Event | BaseException] = SimpleQueue()
        self._leave: SimpleQueue[None] = SimpleQueue()
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._wrap()

    def advance(self, load: LoadState | None = None) -> Event:
        """Let it run to its next event.

        Args:
            load: where it stands at `load_state`, what is called instead; nothing if None.

        Raises:
            BaseException: what the script raised.
        """
        if self._over:
            return Ended()
        self._load = load
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._leave.put(None)
        event = self._events.get()
        if isinstance(event, BaseException):
            self._over = True
            raise event
        self._over = isinstance(event, Ended)
        return event

    def _run(self) -> None:
        try:
            self.script = self._start()
            for directory in self.script:
                self._stand(Yielded(self._saved if directory is None else directory))
        except BaseException as error:  # noqa: BLE001 - it is raised where the script is led
            self._events.put(error)
        else:
            self._events.put(Ended())

    def _stand(self, event: Event) -> None:
        """Tell it, and wait to be led on. What other threads do is nothing that a script does."""
        if threading.current_thread() is self._thread:
            self._events.put(event)
            self._leave.get()

    def _wrap(self) -> None:
        for name in ("__init__", "load_state", "save_state", "backward"):
            _wrap(Accelerator, name, getattr(self, f"_{name.strip('_')}"))
        kinds = ("DataLoaderShard", "DataLoaderDispatcher", "SkipDataLoader")
        for kind in (torch.utils.data.DataLoader, *(getattr(data_loader, n, None) for n in kinds)):
            if kind is not None and "__iter__" in vars(kind):
                _wrap(kind, "__iter__", self._iter)
        _wrap(torch.utils.data.dataloader._BaseDataLoaderIter, "_next_index", self._next_index)

    def _init(self, call: Callable[..., Any], accelerator: Any, *args: Any, **named: Any) -> None:
        call(accelerator, *args, **named)
        self.accelerators.append(accelerator)

    def _load_state(
        self, call: Callable[..., Any], accelerator: Any, *args: Any, **named: Any
    ) -> Any:
        self._loads += 1
        if self._loads > 1:  # called by what loads, or later by the script
            return call(accelerator, *args, **named)
        directory = args[0] if args else named.get("input_dir")
        self._stand(Loading(directory))
        found = None
        if self._load:
            more = {name: value for name, value in named.items() if name != "input_dir"}
            found = self._load(accelerator, directory, *args[1:], **more)
        self._stand(Loaded())
        return found

    def _save_state(
        self, call: Callable[..., Any], accelerator: Any, *args: Any, **named: Any
    ) -> Any:
        try:
            place = call(accelerator, *args, **named)
        except BaseException as error:
            self.failed_save = error
            raise
        self.failed_save = None
        self._saved = place or (args[0] if args else named.get("output_dir"))
        return place

    def _backward(
        self, call: Callable[..., Any], accelerator: Any, loss: Any, *args: Any, **named: Any
    ) -> Any:
        self._stand(Stepping(step_of(accelerator, self._batches.values(), loss)))
        return call(accelerator, loss, *args, **named)

    def _iter(self, call: Callable[..., Any], loader: Any) -> Any:
        if self._fetching is not None or threading.current_thread() is not self._thread:
            return call(loader)  # a prepared dataloader iterates over another one
        self._stand(Iterating())
        indices: deque[Any] = deque()
        batches = self._fetched(indices, lambda: call(loader))
        return _Batches(batches, functools.partial(self._next, id(loader), indices))

    def _next(self, loader: int, indices: deque[Any], batches: Any) -> Any:
        content = self._fetched(indices, lambda: next(batches))
        # Batches are fetched ahead, and come in the order of their indices.
        self._batches[loader] = Batch(content, indices.popleft() if indices else None)
        return content

    def _fetched(self, indices: deque[Any], fetch: Callable[[], Any]) -> Any:
        """What a dataloader fetches; the indices of what it takes for it are added."""
        self._fetching = indices
        try:
            return fetch()
        finally:
            self._fetching = None

    def _next_index(self, call: Callable[..., Any], iterator: Any) -> Any:
        found = call(iterator)
        if self._fetching is not None and isinstance(found, (list, tuple)):
            self._fetching.append(found)
        return found


class _Batches:
    """An iterator over batches, each of which is seen."""

    def __init__(self, batches: Any, following: Callable[[Any], Any]) -> None:
        self._batches = batches
        self._following = following

    def __iter__(self) -> _Batches:
        return self

    def __next__(self) -> Any:
        return self._following(self._batches)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)


def _wrap(kind: Any, name: str, told: Callable[..., Any]) -> None:
    """Let calls of a method go through `told`, which is given the method first."""
    method = getattr(kind, name)

    @functools.wraps(method)
    def wrapper(*args: Any, **named: Any) -> Any:
        return told(method, *args, **named)

    setattr(kind, name, wrapper)
