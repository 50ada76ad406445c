"""The host's end of a worker: a process inside an environment that answers JSON with JSON."""

import contextlib
import json
import os
import selectors
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ckptmatrix.errors import CkptmatrixError

_START_SECONDS = 600
"""A cold start compiles thousands of torch's files on a busy machine."""
_GRACE_SECONDS = 120
"""How much longer than its own time limit a worker may take before it is given up."""
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT")


class WorkerError(CkptmatrixError):
    """A worker did not start, died, or failed in the harness's own code."""


@dataclass(frozen=True)
class Answer:
    """How a request ended."""

    ended: str
    """`returned`, `raised` (the harness failed), `crashed` or `timeout`."""
    value: Any
    """What was returned; or one line; or a traceback."""


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
        self._paths = [str(path) for path in paths]
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
            self.hello = self.ask(
                "hello", _START_SECONDS, device=device, warm=warm, rehearse=rehearse
            )
            if self.hello.ended != "returned":
                raise WorkerError(f"the worker's first answer was: {self.hello.value}")
        except WorkerError:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(self, op: str, seconds: float, **request: Any) -> Answer:
        """Send a request and wait for its answer.

        Args:
            op: what to do.
            seconds: the time limit of the child that does it.
            request: its arguments.

        Raises:
            WorkerError: the worker died or hangs.
        """
        line = json.dumps({"op": op, "seconds": seconds, "paths": self._paths, **request})
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        return Answer(**json.loads(self._readline(2 * seconds + _GRACE_SECONDS)))

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
