"""Exceptions that only report another one: of launchers, of processes that wait for others.

They step back when another exception is in the text. Alone they get what their exit status means
and the request for what stands above.
"""

import re
from dataclasses import dataclass

from ckptmatrix.checkpoint.explain.failures import Failure

_ECHOES: dict[str, str] = {
    "ChildFailedError": "",
    "CalledProcessError": "",
    "ProcessRaisedException": "",
    "ProcessExitedException": "",
    "ProcessFailureException": "",
    "CheckpointException": "",
    "RayTaskError": "",
    "SignalException": "",
    "KeyboardInterrupt": "",
    "SystemExit": "",
    "DistBackendError": r"Connection (?:closed|reset) by|another rank|other ranks|aborted",
    "DistNetworkError": "",
    "RuntimeError": r"^(?:DataLoader worker \(pid|Process group watchdog)"
    r"|is setting up NCCL communicator|Connection (?:closed|reset) by (?:remote )?peer",
}
"""Class -> what its message must hold; empty: anything."""

_STATUS = re.compile(
    r"exit status (?P<status>-?\d{1,12})|exit ?code\s*:? ?(?P<code>-?\d{1,12})"
    r"|died with <Signals\.\w+: (?P<signal>\d{1,4})>|terminated with signal (?P<name>SIG[A-Z]+)"
)
_MEANINGS: dict[int, str] = {
    1: "an exception ended the process",
    2: "the program did not accept its arguments, or a file is missing",
    -4: "illegal instruction: a package was built for another processor",
    -6: "abort: a library gave up, often CUDA or NCCL",
    -7: "bus error: shared memory (/dev/shm) or the disk below a mapped file is full",
    -9: "killed, as a rule by the system, which had no memory left (see dmesg)",
    -11: "segmentation fault in a library",
    -15: "the launcher stopped it because another process failed",
    3221225477: "access violation: a library crashed (as a segmentation fault does)",
    3221225725: "stack overflow",
    3221226505: "a library noticed damaged memory and stopped the process",
    3221225786: "interrupted with Ctrl-C",
}
_SIGNALS = {"SIGKILL": -9, "SIGSEGV": -11, "SIGABRT": -6, "SIGBUS": -7, "SIGTERM": -15}


@dataclass(frozen=True)
class Echo:
    """What an exception says that only reports another one."""

    status: str
    """The exit status that it names; empty if it names none."""
    meaning: str
    """What that status means, one clause; empty if it is not known."""


def echo_of(failure: Failure) -> Echo | None:
    """Read an exception as the report of another one; None if it is one of its own."""
    pattern = _ECHOES.get(failure.name)
    if pattern is None or not re.search(pattern, failure.message):
        return None
    match = _STATUS.search(failure.words)
    if match is None:
        return Echo("", "")
    if match["name"]:
        return Echo(match["name"], _MEANINGS.get(_SIGNALS.get(match["name"], 0), ""))
    number = -int(match["signal"]) if match["signal"] else int(match["status"] or match["code"])
    # A shell reports signal N as 128 + N; Windows reports an NTSTATUS, at times with its sign.
    signal = 128 - number if 128 < number < 160 else number
    return Echo(str(number), _MEANINGS.get(signal % (1 << 32) if signal < -255 else signal, ""))
