"""What is installed in an environment of this machine: its versions, Python included."""

import os
import subprocess
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from ckptmatrix.environments.uv import InstallError, run_uv
from ckptmatrix.errors import UsageError
from ckptmatrix.plan.pins.pins import Extent, Pins, requirement

_SECONDS = 60
_ASK = "import sys; print('%d.%d' % sys.version_info[:2])"


class _Installed(msgspec.Struct, frozen=True):
    """A package as `uv pip list` gives it."""

    name: str
    version: str
    editable_project_location: str | None = None


def interpreter_of(path: Path) -> Path | None:
    """The interpreter that a path means: itself, or the one in an environment's folder."""
    if path.is_dir():
        inside = path / "bin" / "python"
        return inside if inside.exists() else None
    executable = path.is_file() and os.access(path, os.X_OK) and path.name.startswith("python")
    return path if executable else None


def installed_pins(python: Path, source: str) -> Pins:
    """Ask an interpreter for its versions; nothing of what is installed is imported.

    Args:
        python: the interpreter.
        source: what a person calls it.

    Raises:
        UsageError: it does not start, or uv cannot list what is installed.
    """
    try:
        asked = subprocess.run(
            [python, "-I", "-S", "-c", _ASK],
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
        listed = run_uv(
            ["pip", "list", "--format", "json", "--python", str(python)], dict(os.environ)
        )
        installed = msgspec.json.decode(listed, type=tuple[_Installed, ...])
    except (OSError, subprocess.SubprocessError, InstallError, msgspec.DecodeError) as error:
        raise UsageError(
            f"{source} cannot be asked what is installed: {error}",
            "name the interpreter itself, such as .venv/bin/python, or give its `pip freeze`",
        ) from None
    releases = {
        str(canonicalize_name(one.name)): requirement(one.name, f"=={one.version}")
        for one in installed
        if one.editable_project_location is None
    }
    left_out = tuple(
        f"an editable install of {canonicalize_name(one.name)}"
        for one in installed
        if one.editable_project_location is not None
    )
    return Pins(source, asked.stdout.strip(), releases, {}, left_out, Extent.WHOLE)
