"""Packages of an environment, by uv: made, installed into, listed."""

import re
import subprocess
from pathlib import Path

from uv import find_uv_bin

from ckptmatrix.environments.starting import start
from ckptmatrix.model import Environment, Stack

_UV = find_uv_bin()  # not in the threads below: sysconfig, which it asks, is not safe there

_REFUSED = 1
"""uv's status where requirements cannot be met; 2 stands for an index or a disk that fails it."""

_UNDECLARED = {
    # accelerate 0.16.0-0.20.3 import it without asking for it; setuptools 81 took it out.
    "pkg_resources": "setuptools<81",
}
"""Module that releases import without declaring it -> requirement that brings it."""


class InstallError(Exception):
    """Why there is no such environment, one sentence."""


class NotNowError(InstallError):
    """Why it cannot be had at present: the index or the disk does not do its part, one sentence."""


def install(
    environment: Environment,
    stack: Stack,
    directory: Path,
    settings: dict[str, str],
    pins: tuple[str, ...],
) -> str:
    """Create an environment and install into it.

    Args:
        environment: the release of accelerate.
        stack: Python, and everything else that is asked for by name.
        directory: where it shall lie; there is nothing yet.
        settings: variables for uv.
        pins: what to install of all that is not asked for by name, `name==version`.

    Returns:
        What was added beyond what was asked for, one sentence; mostly nothing.

    Raises:
        InstallError: there is no such environment.
        NotNowError: it cannot be told at present.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    _create(stack.python, directory, settings)
    wanted = [*stack.packages, f"accelerate=={environment.accelerate}"]
    constraints = directory / "pins.txt"
    constraints.write_text("\n".join(pins), encoding="utf-8")
    python = ["--python", str(directory / "bin" / "python"), "--constraints", str(constraints)]
    run_uv(["pip", "install", *python, *wanted], settings)
    added = [extra for module, extra in _UNDECLARED.items() if _imports(directory, module)]
    if not added:
        return ""
    run_uv(["pip", "install", *python, *wanted, *added], settings)
    return f"{', '.join(added)} was added, which this release imports without asking for it"


def _create(python: str, directory: Path, settings: dict[str, str]) -> None:
    """Create an environment without packages.

    Raises:
        InstallError: there is no such Python here and none can be fetched, or the folder cannot be
            written.
    """
    try:
        run_uv(["venv", "--python", python, str(directory)], settings)
    except InstallError as error:
        if _is_here(python, settings):
            raise
        raise InstallError(
            f"Python {python} is not on this machine and cannot be fetched "
            f"({str(error).rstrip('.')}): install it (`uv python install {python}` where there is "
            "a network), or give the stack a `python` that is here (`uv python list`)."
        ) from error


def _is_here(python: str, settings: dict[str, str]) -> bool:
    try:
        run_uv(["python", "find", "--no-project", "--no-python-downloads", python], settings)
    except InstallError:
        return False
    return True


def _imports(directory: Path, module: str) -> bool:
    """Whether the installed accelerate imports a module, by its own source."""
    statement = re.compile(rf"^\s*(?:import|from)\s+{module}\b", re.MULTILINE)
    files = directory.glob("lib/python*/site-packages/accelerate/**/*.py")
    return any(statement.search(file.read_text(encoding="utf-8")) for file in files)


def frozen(directory: Path, settings: dict[str, str]) -> tuple[str, ...]:
    """Everything installed in an environment, `name==version`, sorted.

    Raises:
        InstallError: uv cannot tell.
    """
    listed = run_uv(["pip", "freeze", "--python", str(directory / "bin" / "python")], settings)
    return tuple(line for line in listed.splitlines() if "==" in line)


def run_uv(arguments: list[str], settings: dict[str, str]) -> str:
    """Run uv and give what it printed.

    Args:
        arguments: of the command.
        settings: its whole environment.

    Raises:
        InstallError: with uv's reason in one sentence.
        NotNowError: the same, where what was asked for is not the reason.
    """
    command = [_UV, "--no-progress", "--color", "never", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with start(command, env=settings, **pipes) as process:
        said, complaint = process.communicate()
    if process.returncode == _REFUSED:
        raise InstallError(one_sentence(complaint))
    if process.returncode:
        raise NotNowError(one_sentence(complaint))
    return said


def one_sentence(complaint: str) -> str:
    """The reason in uv's complaint: its first `Because ...`, else its first line.

    The conclusions that follow only say that the requirements are unsatisfiable.
    """
    text = " ".join(re.sub(r"[│├╰─▶×✗⚠]", " ", complaint).split())
    because = re.search(r"Because .*?(?=, we can conclude|\.? And because|$)", text)
    if because:
        return because[0].removeprefix("Because ").rstrip(".") + "."
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    # Of a chain of causes the last one, which is the system's own.
    return re.sub(r"^(error|cause|hint): ", "", lines[-1]) if lines else "uv failed without a word."
