"""Which accelerate release has which code at which line of which file.

The index (`lines.json.xz`, made by `tools/make_line_index.py` from the released wheels) holds no
code: for each line a 24-bit digest, and for each function its name and extent.
"""

import base64
import hashlib
import lzma
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec
from packaging.version import Version

RESOURCE = "lines.json.xz"
DIGEST_BYTES = 3


class FileLines(msgspec.Struct, frozen=True):
    """One file of one release."""

    digests: str
    """Base64 of `DIGEST_BYTES` for each line, from line 1."""
    functions: list[tuple[str, int, int]]
    """Name, first and last line of each function, in order."""


class Index(msgspec.Struct, frozen=True):
    """The whole resource."""

    releases: list[str]
    """Every release that was read, oldest first."""
    files: dict[str, dict[str, FileLines]]
    """Path below site-packages -> release -> its lines."""


@dataclass(frozen=True)
class Match:
    """What the index knows of one frame of a traceback."""

    releases: tuple[str, ...]
    """Releases in which that line of that file fits, oldest first; empty if none does."""
    by: str
    """`code`: the line is exactly that code; `function`: it lies in that function; `none`."""
    elsewhere: dict[str, int]
    """Release -> line at which the same code stands in the same function, where it is another
    line."""


def digest(line: str) -> bytes:
    """Digest of a line of code, indentation and trailing blanks aside."""
    return hashlib.blake2b(line.strip().encode(), digest_size=DIGEST_BYTES).digest()


@cache
def load_index() -> Index:
    """Read the resource."""
    packed = files(__package__).joinpath(RESOURCE).read_bytes()
    return msgspec.json.decode(lzma.decompress(packed), type=Index)


def indexed_path(path: str, index: Index) -> str | None:
    """The index's name of a file in a traceback, whatever directory it was installed in."""
    parts = path.replace("\\", "/").split("/")
    if "accelerate" not in parts:
        return None
    at = len(parts) - 1 - parts[::-1].index("accelerate")
    name = "/".join(parts[at:])
    return name if name in index.files else None


def match(
    path: str, line: int, function: str, code: str, index: Index | None = None
) -> Match | None:
    """Find the releases in which a frame can have arisen.

    Args:
        path: file as the traceback gives it.
        line: line number, from 1.
        function: name of the function, without its class; may be empty.
        code: the line of code that the traceback shows; may be empty.
        index: the index to ask; the shipped one if None.

    Returns:
        None if the file is none of the index.
    """
    index = index or load_index()
    name = indexed_path(path, index)
    if name is None:
        return None
    function = function.rpartition(".")[2]
    exact: list[str] = []
    inside: list[str] = []
    elsewhere: dict[str, int] = {}
    for release, content in index.files[name].items():
        spans = [(first, last) for other, first, last in content.functions if other == function]
        here = any(first <= line <= last for first, last in spans)
        if code and (found := _lines_with(content, code)):
            if line in found:
                exact.append(release)
            elif near := [n for n in found if not function or _within(n, spans)]:
                elsewhere[release] = near[0]
        if here:
            inside.append(release)
    if exact or code:
        return Match(_sorted(exact), "code" if exact else "none", elsewhere)
    return Match(_sorted(inside), "function" if inside else "none", {})


def _sorted(releases: list[str]) -> tuple[str, ...]:
    return tuple(sorted(releases, key=Version))


def _within(line: int, spans: list[tuple[int, int]]) -> bool:
    return any(first <= line <= last for first, last in spans)


def _lines_with(content: FileLines, code: str) -> list[int]:
    """Numbers of the lines whose digest is that of the code."""
    digests = base64.b64decode(content.digests)
    wanted = digest(code)
    found = []
    at = digests.find(wanted)
    while at >= 0:
        if at % DIGEST_BYTES == 0:
            found.append(at // DIGEST_BYTES + 1)
        at = digests.find(wanted, at + 1)
    return found


def in_words(releases: tuple[str, ...], index: Index | None = None) -> str:
    """Releases as `0.32.0, 0.32.1` or, where many follow each other, `0.34.0 to 1.0.1`."""
    known = (index or load_index()).releases
    runs: list[list[str]] = []
    for release in releases:
        if runs and known.index(release) == known.index(runs[-1][-1]) + 1:
            runs[-1].append(release)
        else:
            runs.append([release])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)
