"""One line: `accelerate==1.15.0 torch==2.15.0 numpy==2.4.6`, with `python==3.11` if one likes."""

import re

from packaging.requirements import InvalidRequirement, Requirement

from ckptmatrix.errors import UsageError
from ckptmatrix.plan.pins.pins import Extent, Pins, python_for, together

_PYTHON = re.compile(r"python==?(\d+\.\d+)(?:\.\d+)?")


def looks_like_one(text: str) -> bool:
    """Whether a text that names no file may be meant so."""
    return bool(re.search(r"[=<>~!]=|\s|^accelerate\b", text))


def read(text: str, python: str | None) -> Pins:
    """Read one line.

    Args:
        text: requirements with spaces between them.
        python: minor version of Python, if one was asked for.

    Raises:
        UsageError: something in it is no requirement.
    """
    requirements = []
    for word in text.split():
        named = _PYTHON.fullmatch(word)
        if named:
            python = python or named[1]
            continue
        try:
            one = Requirement(word)
        except InvalidRequirement:
            one = None
        if one is None or one.url:
            raise UsageError(
                f"{word!r} is no requirement such as accelerate==1.15.0",
                "write 'accelerate==1.15.0 torch==2.15.0 numpy==2.4.6', or name a file",
            )
        requirements.append(one)
    if not requirements:
        raise UsageError("a Python alone is no environment", "name releases, accelerate's first")
    minor = python_for(text, None, python)
    return Pins(text, minor, together(requirements, minor), {}, extent=Extent.CHANGES)
