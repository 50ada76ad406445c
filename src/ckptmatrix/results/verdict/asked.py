"""One side of the question, as a person gives it: a version, a line of pins, or `pip freeze`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from ckptmatrix.errors import UsageError
from ckptmatrix.results.verdict.gaps import PACKAGES
from ckptmatrix.results.verdict.versions import key_of

PINS = (
    r"(?:^|[\s\"'\[(,])NAME(?:\[[^\]]*\])?\s*={2,3}\s*([^\s\"',;)\]\\]+)",
    r"^\s*NAME\s*@\s*\S*/NAME-([^-/\s]+)-\S+",
    r"name\s*=\s*\"NAME\"\s+version\s*=\s*\"([^\"]+)\"",
    r"^\s*NAME\s+v?(\d\S*)",
)
"""How the version of a package NAME stands in a text: pinned (`pip freeze`, `requirements.txt`), as
the address of a wheel, in a lock file, in the table of `pip list`. The page uses the same."""


@dataclass(frozen=True)
class Asked:
    """What is known of one environment; what is empty may be anything."""

    accelerate: str
    """Its release, as typed."""
    torch: str = ""
    """Its version, as typed."""
    numpy: str = ""
    """Its version, as typed."""
    stack: str = ""
    """Name of a stack of the run, instead of the two."""

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Give the packages that were named, with the version as typed."""
        for package in PACKAGES:
            if version := getattr(self, package):
                yield package, version

    @property
    def line(self) -> str:
        """It as requirements: `accelerate==1.5 torch==2.6`."""
        return " ".join(f"{package}=={version}" for package, version in self)


def pins_of(text: str) -> dict[str, str]:
    """Find the versions of accelerate, torch and numpy in a text; package -> version."""
    found = {}
    for package in PACKAGES:
        for pattern in PINS:
            if match := re.search(pattern.replace("NAME", package), text, re.M | re.I | re.A):
                found[package] = unquote(match[1])
                break
    return found


def asked_of(text: str, stack: str | None = None) -> Asked:
    """Read one side of the question.

    Args:
        text: a version of accelerate, a line such as `accelerate==1.5 torch==2.6`, or what
            `pip freeze` prints.
        stack: name of the stack, which holds whatever the text says.

    Raises:
        UsageError: no version of accelerate is in it.
    """
    pins = {"accelerate": text.strip()} if key_of(text) else pins_of(text)
    if "accelerate" not in pins:
        line, *more = text.strip().splitlines() or [""]
        raise UsageError(
            f"{line + ' ...' * bool(more)!r} is no version of accelerate",
            'give one such as 0.33.0, a line such as "accelerate==0.33.0 torch==2.4.1", or a file '
            "with what `pip freeze` prints",
        )
    if stack:
        return Asked(pins["accelerate"], stack=stack)
    return Asked(**pins)
