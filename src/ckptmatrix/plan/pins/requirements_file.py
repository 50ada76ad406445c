"""`requirements.txt`, with what it includes, and the output of `pip freeze`."""

from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from pip_requirements_parser import (
    EditableRequirement,
    InstallationError,
    InstallRequirement,
    OptionLine,
    RequirementsFile,
)

from ckptmatrix.errors import UsageError
from ckptmatrix.plan.pins.pins import Pins, python_for, together
from ckptmatrix.util.handed_over import read_whole

_INCLUDED = {"requirements": "-r", "constraints": "-c"}
_MOST_FILES = 50
MOST_BYTES = 16 << 20
"""Of one file; a lock of 500 packages has two million."""


def read(path: Path, source: str, python: str | None) -> Pins:
    """Read a file, and those that it includes.

    Hashes and where to look for wheels are left out: what is on the index counts, and uv takes it
    from where the machine's own settings say.

    Args:
        path: the file.
        source: what a person calls it.
        python: minor version of Python, if one was asked for.

    Raises:
        UsageError: a line is no requirement, or an included file is not there.
    """
    parts = _Parts(source)
    parts.read(path, source, constraints=False)
    minor = python_for(source, None, python)
    return Pins(
        source,
        minor,
        together(parts.asked, minor),
        together(parts.kept, minor),
        tuple(parts.left_out),
    )


class _Parts:
    """What is found, file by file."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.asked: list[Requirement] = []
        self.kept: list[Requirement] = []
        self.left_out: list[str] = []
        self._seen: set[Path] = set()

    def read(self, path: Path, name: str, constraints: bool) -> None:
        """Take up one file, and what it includes."""
        if path.resolve() in self._seen:
            return
        self._seen.add(path.resolve())
        if len(self._seen) > _MOST_FILES:
            raise UsageError(
                f"{self.source} includes more than {_MOST_FILES} files", "name the one that counts"
            )
        found = _parsed(path, name)
        for one in found.requirements:
            self._take(one, name, constraints or bool(one.is_constraint))
        for line in found.options:
            self._option(line, path, name, constraints)

    def _take(self, one: InstallRequirement, name: str, constraints: bool) -> None:
        number = one.line_number
        if isinstance(one, EditableRequirement) or one.is_url or one.is_local_path or not one.req:
            known = f" of {one.name}" if _is_name(one.name) else ""
            self.left_out.append(f"{name}, line {number}: {_kind(one)}{known}")
            return
        try:
            requirement = Requirement(str(one.req))
            if one.marker:
                requirement = Requirement(f"{one.req}; {one.marker}")
        except InvalidRequirement:
            raise _wrong(name, number) from None
        (self.kept if constraints else self.asked).append(requirement)

    def _option(self, line: OptionLine, path: Path, name: str, constraints: bool) -> None:
        for option, values in line.options.items():
            if option not in _INCLUDED:
                said = f"--{option.replace('_', '-').removesuffix('s')}"
                self.left_out.append(f"{name}, line {line.line_number}: the option {said}")
                continue
            for value in values:
                inner = path.parent / value
                self.read(inner, inner.name, constraints or option == "constraints")


def _parsed(path: Path, name: str) -> RequirementsFile:
    try:
        read_whole(path, MOST_BYTES)  # a regular file, and not too large
        found = RequirementsFile.from_file(str(path), include_nested=False)
    except (InstallationError, OSError):
        raise UsageError(
            f"{name} cannot be read", "check that it, and what it includes with -r, is there"
        ) from None
    except (ValueError, LookupError):  # of a coding that it names, or has not
        raise UsageError(f"{name} is no text that can be read", "save it as UTF-8") from None
    for line in found.invalid_lines:
        raise _wrong(name, line.line_number)
    return found


def _wrong(name: str, number: int | None) -> UsageError:
    return UsageError(
        f"{name}, line {number}: this is no requirement",
        "correct it; `pip install -r` would refuse it as well",
    )


def _kind(one: InstallRequirement) -> str:
    if isinstance(one, EditableRequirement):
        return "an editable install"
    return "a repository" if one.is_vcs_url else "an archive or folder"


def _is_name(name: str | None) -> bool:
    try:
        return bool(name and Requirement(name))
    except InvalidRequirement:
        return False
