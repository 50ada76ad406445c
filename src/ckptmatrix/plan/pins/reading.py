"""Which form a file of pins has, and what it says."""

import tomllib
from pathlib import Path

from ckptmatrix.errors import UsageError
from ckptmatrix.plan.pins import pylock, requirements_file, uv_lock
from ckptmatrix.plan.pins.pins import Pins
from ckptmatrix.plan.pins.requirements_file import MOST_BYTES
from ckptmatrix.util.handed_over import parse_toml, read_text, understood

_OTHERS = {
    "poetry.lock": "`poetry export -o requirements.txt`",
    "pdm.lock": "`pdm export -o requirements.txt`",
    "Pipfile.lock": "`pipenv requirements > requirements.txt`",
    "pyproject.toml": "`uv lock`, or `pip freeze` where it is installed",
    "environment.yml": "`pip freeze` where it is installed",
    "environment.yaml": "`pip freeze` where it is installed",
    "conda-lock.yml": "`pip freeze` where it is installed",
}
"""File that is not read -> what makes one of it that is."""


def read_pins(path: Path, source: str = "", python: str | None = None) -> Pins:
    """Read a file, whichever of the forms it has.

    Args:
        path: the file.
        source: what a person calls it; its path by default.
        python: minor version of Python, if one was asked for.

    Raises:
        UsageError: it cannot be read, has another form, or nothing is in it.
    """
    source = source or str(path)
    for name, instead in _OTHERS.items():
        if path.name.endswith(name):
            raise UsageError(
                f"{source} is no list of what is installed, or of a form that is not read",
                f"give what {instead} writes",
            )
    with understood(source, "make it anew, or name another file"):
        pins = _read(path, source, python)
    if not pins.asked and not pins.kept:
        raise UsageError(
            f"{source} names no package", "check its name, and that what wrote it succeeded"
        )
    return pins


def _read(path: Path, source: str, python: str | None) -> Pins:
    if path.suffix not in (".lock", ".toml"):
        return requirements_file.read(path, source, python)
    try:
        tables = parse_toml(read_text(path, MOST_BYTES))
    except OSError as error:
        raise UsageError(f"cannot read {source}: {error.strerror}", "check its name") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{source} is not valid TOML: {error}", "make it anew, or name another file"
        ) from None
    if "lock-version" in tables:
        return pylock.read(tables, source, python)
    return uv_lock.read(tables, source, python)
