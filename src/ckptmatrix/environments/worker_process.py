"""The host's end of a worker: a process inside an environment that answers requests."""

import contextlib
import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from ckptmatrix.environments.gpu_turns import GpuTurns
from ckptmatrix.environments.starting import start
from ckptmatrix.environments.variables import variables
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.model import Device
from ckptmatrix.util.unfinished import folder_in, temporary_folder
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
from ckptmatrix.worker.words import TRIES, Ending

A = TypeVar("A")

_START_SECONDS = 600
"""A cold start compiles thousands of torch's files on a busy machine."""
_GRACE_SECONDS = 120
"""How much longer than its own time limit a worker may take before it is given up."""


_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)


class WorkerError(CkptmatrixError):
    """A worker did not start, died, or failed in the harness's own code."""


class WorkerDiedError(WorkerError):
    """A worker was ended by a signal."""


class WorkerKilledError(WorkerDiedError):
    """A worker was ended by somebody: that says nothing of its environment."""


class Worker:
    """A worker in an environment; a context manager.

    Its process is another one's turn whenever it ends before it is closed: one that died is
    started again and asked the same; one that may not be forked any more, since something in it
    started a thread or woke a GPU, is replaced. The process and its children end with this one.

    Args:
        python: the environment's interpreter.
        bundle: the folder with the worker's code.
        log: file that its standard error is appended to.
        device: `cpu` or `cuda`; on `cpu` no GPU is visible to it.
        paths: further folders to import a user's scenarios and loaders from.
        warm: modules to import at the start.
        rehearse: find out what else a cell imports, and import that as well.
        turns: when it may use a GPU, and which; None for at any time, and the first.

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
        turns: GpuTurns | None = None,
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._command = (str(python), "-s", "-m", "ckptmatrix.worker")
        self._turns = turns
        self._variables = variables(os.environ, bundle, device)
        if turns:
            self._variables["CUDA_VISIBLE_DEVICES"] = turns.visible(os.environ)
        self._log = log
        self._paths = tuple(map(str, paths))
        self._hello = Hello(words.Device(device), tuple(warm), rehearse)
        self._scratch = contextlib.ExitStack()
        self._process: subprocess.Popen[str] | None = None
        try:
            self.introduction = self._persistently(self._introduced, "its start")
        except WorkerError:
            self.close()
            raise
        self._hello = Hello(self._hello.device, self.introduction.warm, rehearse=False)

    @property
    def log(self) -> Path:
        """File that its standard error goes to."""
        return self._log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    def ask(
        self, request: Request[A], seconds: float, afresh: Callable[[], None] = lambda: None
    ) -> Answer[A]:
        """Send a request and wait for its answer.

        Args:
            request: what to do.
            seconds: the time limit of the child that does it.
            afresh: called before each time that it is asked; clears away what a worker that died
                left of it.

        Raises:
            WorkerDiedError: the worker died each time that it was asked this.
            WorkerError: it failed in its own code, hangs, answers something else, or cannot be
                forked even when it has just been started. The next request is for a new one.
        """

        def once() -> Answer[A]:
            afresh()
            return self._answered(request, seconds)

        for _ in range(TRIES):
            answer = self._persistently(once, _named(request))
            if not (isinstance(answer, NotReturned) and answer.how is Ending.KILLED):
                break
            self._note(f"asked again, for a process of it was killed: {answer.detail}")
        return answer

    def _persistently(self, act: Callable[[], A], what: str) -> A:
        """Do it once more after the worker died of it, or was killed meanwhile."""
        for _ in range(TRIES):
            try:
                return act()
            except WorkerError as error:
                self._end()
                if not isinstance(error, WorkerDiedError):
                    raise
                self._note(f"it is started again: {error.message}")
                last = error
        raise type(last)(
            f"the worker died {TRIES} times at the same work, {what}: {last.message}",
            f"see {self._log}; where something ended it, such as a lack of memory, mend that and "
            "run again",
        )

    def _answered(self, request: Request[A], seconds: float) -> Answer[A]:
        """The answer of this process, or of the next where this one may not be forked any more."""
        if self._process is None:
            self._introduced()
        answer = self._asked(request, seconds)
        reason = _unforkable(answer)
        if reason:
            self._end()
            self._note(f"another worker is started, for this one may not be forked: {reason}")
            self._introduced()
            answer = self._asked(request, seconds)
            _refuse_unforkable(answer)
        return answer

    def _introduced(self) -> Introduction:
        """Start a process, which imports what the one before had imported."""
        self._process = self._started()
        answer = self._asked(self._hello, _START_SECONDS)
        _refuse_unforkable(answer)
        if isinstance(answer, NotReturned):
            kind = WorkerKilledError if answer.how is Ending.KILLED else WorkerError
            raise kind(f"the worker's first answer was: {answer.detail}")
        return answer.value

    def _started(self) -> "subprocess.Popen[str]":
        self._scratch.close()
        scratch = self._scratch.enter_context(folder_in(temporary_folder()))
        self._variables["TMPDIR"] = str(scratch)
        with self._log.open("a") as errors:
            return start(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._variables,
                cwd=self._log.parent,
                text=True,
            )

    def _asked(self, request: Request[A], seconds: float) -> Answer[A]:
        with self._turns.turn() if self._turns else contextlib.nullcontext():
            return self._exchanged(request, seconds)

    def _exchanged(self, request: Request[A], seconds: float) -> Answer[A]:
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(question_line(request, seconds, self._paths) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        try:
            return read_answer(request, self._readline(2 * seconds + _GRACE_SECONDS))
        except WireError as error:
            raise WorkerError(f"the worker's answer is not understood: {error}") from None

    def _readline(self, seconds: float) -> str:
        process = self._running()
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                raise WorkerError(f"the worker did not answer within {seconds:g} seconds")
        line = process.stdout.readline()
        if not line.endswith("\n"):
            raise self._died()
        return line

    def _died(self) -> WorkerError:
        """How the process ended: by a signal, or by what it says itself in its log."""
        status = self._running().wait()
        if status < 0 and status != -signal.SIGINT:  # Ctrl-C is for all of the run
            kind = WorkerKilledError if -status in _FROM_OUTSIDE else WorkerDiedError
            return kind(f"killed by {signal.Signals(-status).name}")
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["no word"]
        return WorkerError(lines[-1], f"see {self._log}")

    def _running(self) -> "subprocess.Popen[str]":
        assert self._process is not None, "it is started before it is asked"
        return self._process

    def _note(self, said: str) -> None:
        with contextlib.suppress(OSError), self._log.open("a", encoding="utf-8") as log:
            log.write(f"{said}\n")

    def _end(self) -> None:
        """End the process, and with it all that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.kill()  # its children end with it
        process.wait()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()

    def close(self) -> None:
        """End it."""
        process = self._process
        if process is not None and process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        self._end()
        self._scratch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _named(request: Request[A]) -> str:
    """What a request is, where it is blamed."""
    case = getattr(request, "case", request)
    return f"{type(request).__name__} of {getattr(case, 'scenario', 'the environment')}"


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
