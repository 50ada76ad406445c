"""Where pins are from: a file, an environment of this machine, or one line."""

import sys
import tempfile
from pathlib import Path

from ckptmatrix.environments.installed_pins import installed_pins, interpreter_of
from ckptmatrix.errors import UsageError
from ckptmatrix.plan.pins import one_line
from ckptmatrix.plan.pins.pins import Pins
from ckptmatrix.plan.pins.reading import read_pins
from ckptmatrix.plan.pins.requirements_file import MOST_BYTES


def pins_from(named: str, python: str | None = None) -> Pins:
    """Read what a person named.

    Args:
        named: path of a file, of an interpreter or of an environment's folder; `-` for what
            `pip freeze` prints into this program; or one line of requirements.
        python: minor version of Python for what does not say which; an interpreter says it.

    Raises:
        UsageError: it is none of them, or cannot be read.
    """
    if named == "-":
        return _from_standard_input(python)
    path = Path(named).expanduser()
    try:
        there = path.exists()
    except OSError:  # too long to be a path
        there = False
    if there:
        interpreter = interpreter_of(path)
        if interpreter:
            return installed_pins(interpreter, named)
        if path.is_file():
            return read_pins(path, named, python)
        raise UsageError(
            f"{named} is a folder without bin/python", "name a file in it, such as uv.lock"
        )
    if one_line.looks_like_one(named):
        return one_line.read(named, python)
    raise UsageError(
        f"{named!r} is neither a file, nor an environment, nor a list of versions",
        "name a requirements.txt, uv.lock, pylock.toml, .venv, or "
        "'accelerate==1.15.0 torch==2.15.0 numpy==2.4.6'",
    )


def _from_standard_input(python: str | None) -> Pins:
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(sys.stdin.buffer.read(MOST_BYTES))
        file.flush()
        return read_pins(Path(file.name), "standard input", python)
