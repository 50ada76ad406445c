"""The host's end of a worker: a process inside an environment that answers requests."""

import contextlib
import os
import selectors
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from ckptmatrix.environments.variables import variables
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.model import Device
from ckptmatrix.worker import words
from ckptmatrix.worker.protocol import (
    Answer,
    Hello,
    Introduction,
    NotReturned,
    Request,
    question_line,
    read_answer,
)
from ckptmatrix.worker.wire import WireError
from ckptmatrix.worker.words import Ending

A = TypeVar("A")

_START_SECONDS = 600
"""A cold start compiles thousands of torch's files on a busy machine."""
_GRACE_SECONDS = 120
"""How much longer than its own time limit a worker may take before it is given up."""


class WorkerError(CkptmatrixError):
    """A worker did not start, died, or failed in the harness's own code."""


class Worker:
    """A running worker process; a context manager.

    One that may not be forked any more, since something in it started a thread or woke a GPU, is
    replaced, and the new one is asked again.

    Args:
        python: the environment's interpreter.
        bundle: the folder with the worker's code.
        log: file that its standard error is appended to.
        device: `cpu` or `cuda`; on `cpu` no GPU is visible to it.
        paths: further folders to import a user's scenarios and loaders from.
        warm: modules to import at the start.
        rehearse: find out what else a cell imports, and import that as well.

    Attributes:
        introduction: what the environment is.

    Raises:
        WorkerError: it did not start.
    """

    def __init__(
        self,
        python: Path,
        bundle: Path,
        log: Path,
        device: Device,
        paths: tuple[Path, ...] = (),
        warm: Sequence[str] = (),
        rehearse: bool = False,
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._command = (python, "-s", "-m", "ckptmatrix.worker")
        self._variables = variables(os.environ, bundle, device)
        self._log = log
        self._paths = tuple(map(str, paths))
        self._device = words.Device(device)
        self._process = self._started()
        self.introduction = self._introduced(Hello(self._device, tuple(warm), rehearse))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(self, request: Request[A], seconds: float) -> Answer[A]:
        """Send a request and wait for its answer.

        Args:
            request: what to do.
            seconds: the time limit of the child that does it.

        Raises:
            WorkerError: the worker died, hangs, answers something else, or cannot be forked even
                when it has just been started.
        """
        answer = self._asked(request, seconds)
        reason = _unforkable(answer)
        if reason:
            self._replace(reason)
            answer = self._asked(request, seconds)
            _refuse_unforkable(answer)
        return answer

    def _replace(self, reason: str) -> None:
        """Start another one in its place, which imports the same."""
        self.close()
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"another worker is started, for this one may not be forked: {reason}\n")
        self._process = self._started()
        self._introduced(Hello(self._device, self.introduction.warm, rehearse=False))

    def _started(self) -> "subprocess.Popen[str]":
        with self._log.open("a") as errors:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._variables,
                cwd=self._log.parent,
                text=True,
            )

    def _introduced(self, hello: Hello) -> Introduction:
        try:
            answer = self._asked(hello, _START_SECONDS)
            _refuse_unforkable(answer)
            if isinstance(answer, NotReturned):
                raise WorkerError(f"the worker's first answer was: {answer.detail}")
        except WorkerError:
            self.close()
            raise
        return answer.value

    def _asked(self, request: Request[A], seconds: float) -> Answer[A]:
        line = question_line(request, seconds, self._paths)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        try:
            return read_answer(request, self._readline(2 * seconds + _GRACE_SECONDS))
        except WireError as error:
            raise WorkerError(f"the worker's answer is not understood: {error}") from None

    def _readline(self, seconds: float) -> str:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                self._process.kill()
                raise WorkerError(f"the worker did not answer within {seconds:g} seconds")
        line = self._process.stdout.readline()
        if not line:
            raise self._died()
        return line

    def _died(self) -> WorkerError:
        self._process.wait()
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["no word"]
        return WorkerError(lines[-1], f"see {self._log}")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _unforkable(answer: Answer[A]) -> str:
    """Why a worker may not be forked any more, if that is its answer."""
    if isinstance(answer, NotReturned) and answer.how is Ending.UNFORKABLE:
        return answer.detail
    return ""


def _refuse_unforkable(answer: Answer[A]) -> None:
    """Take no such answer of a worker that has just been started: the next would give it too."""
    reason = _unforkable(answer)
    if reason:
        raise WorkerError(
            f"a worker that has just been started may not be forked: {reason}",
            "let nothing that a scenario's or loader's module does when it is imported start a "
            "thread or ask for a GPU; `build` may",
        )
