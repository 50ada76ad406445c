"""The host's end of a worker: a process inside an environment that answers requests."""

import contextlib
import os
import selectors
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.worker.protocol import (
    Answer,
    Hello,
    NotReturned,
    Request,
    question_line,
    read_answer,
)
from ckptmatrix.worker.wire import WireError
from ckptmatrix.worker.words import Device

A = TypeVar("A")

_START_SECONDS = 600
"""A cold start compiles thousands of torch's files on a busy machine."""
_GRACE_SECONDS = 120
"""How much longer than its own time limit a worker may take before it is given up."""
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT")


class WorkerError(CkptmatrixError):
    """A worker did not start, died, or failed in the harness's own code."""


class Worker:
    """A running worker process; a context manager.

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
        device: str,
        paths: tuple[Path, ...] = (),
        warm: Sequence[str] = (),
        rehearse: bool = False,
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        self._paths = tuple(map(str, paths))
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                [python, "-s", "-m", "ckptmatrix.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(os.environ, bundle, device),
                cwd=log.parent,
                text=True,
            )
        try:
            hello = self.ask(Hello(Device(device), tuple(warm), rehearse), _START_SECONDS)
            if isinstance(hello, NotReturned):
                raise WorkerError(f"the worker's first answer was: {hello.detail}")
        except WorkerError:
            self.close()
            raise
        self.introduction = hello.value

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
            WorkerError: the worker died, hangs, or answers something else.
        """
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


def _environment(host: Mapping[str, str], bundle: Path, device: str) -> dict[str, str]:
    """The worker's variables: few of the host's, so that no setting of theirs colours a cell."""
    kept = {name: host[name] for name in _KEPT if name in host}
    if device == "cuda":
        kept.update({n: v for n, v in host.items() if n.startswith(("CUDA_", "NVIDIA_"))})
        kept["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    else:
        kept["CUDA_VISIBLE_DEVICES"] = ""
    return {
        **kept,
        "PYTHONPATH": str(bundle),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
