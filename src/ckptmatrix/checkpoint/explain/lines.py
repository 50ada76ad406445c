"""Which accelerate release has which code at which line of which file.

The index (`lines.json.xz`, made by `tools/make_line_index.py` from the released wheels) holds no
code: for each line a 24-bit digest of it and, if it is long, one of its beginning; for each
function its name and extent.
"""

import base64
import hashlib
import lzma
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec
from packaging.version import Version

from ckptmatrix.checkpoint.explain.frames import Frame

RESOURCE = "lines.json.xz"
DIGEST_BYTES = 3
BEGINNING = 40
"""Characters of a long line that have a digest of their own: rich crops what does not fit."""


class FileLines(msgspec.Struct, frozen=True):
    """One file of one release."""

    digests: str
    """Base64 of `DIGEST_BYTES` for each line, from line 1."""
    beginnings: str
    """The same for the first `BEGINNING` characters of each longer line; zero bytes for others."""
    functions: list[tuple[str, int, int]]
    """Name, first and last line of each function, in order."""


class Index(msgspec.Struct, frozen=True):
    """The whole resource."""

    releases: list[str]
    """Every release that was read, oldest first."""
    files: dict[str, dict[str, FileLines]]
    """Path below site-packages -> release -> its lines."""


class By(StrEnum):
    """What ties a frame to releases."""

    CODE = "code"
    """The line is exactly that code, or begins with it where it is cropped."""
    FUNCTION = "function"
    """The line lies in that function; its code is not shown."""
    NONE = "none"
    """No release has that there: the file was edited, or is not a released one."""


@dataclass(frozen=True)
class LineMatch:
    """What the index knows of one frame of a traceback."""

    releases: tuple[str, ...]
    """Releases in which that line of that file fits, oldest first; empty if none does."""
    by: By
    """What it was found by."""
    elsewhere: dict[str, int]
    """Release -> line at which the same code stands in the same function, where it is another
    line."""


def digest(line: str) -> bytes:
    """Digest of a line of code, indentation and trailing blanks aside."""
    return hashlib.blake2b(line.strip().encode(), digest_size=DIGEST_BYTES).digest()


def digest_of_beginning(line: str) -> bytes:
    """Digest of the first `BEGINNING` characters of a line; zero bytes if it has no more."""
    bare = line.strip()
    return digest(bare[:BEGINNING]) if len(bare) > BEGINNING else bytes(DIGEST_BYTES)


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


def match(frame: Frame, index: Index | None = None) -> LineMatch | None:
    """Find the releases in which a frame can have arisen.

    Args:
        frame: as it was read from a traceback; its code may be cropped or missing.
        index: the index to ask; the shipped one if None.

    Returns:
        None if the file is none of the index.
    """
    index = index or load_index()
    name = indexed_path(frame.path, index)
    if name is None:
        return None
    function = frame.function.rpartition(".")[2]
    exact: list[str] = []
    inside: list[str] = []
    elsewhere: dict[str, int] = {}
    for release, content in index.files[name].items():
        spans = [(first, last) for other, first, last in content.functions if other == function]
        if _within(frame.line, spans):
            inside.append(release)
        if frame.code and (found := _lines_with(content, frame)):
            if frame.line in found:
                exact.append(release)
            elif near := [n for n in found if not function or _within(n, spans)]:
                elsewhere[release] = near[0]
    too_short = frame.cropped and len(frame.code) < BEGINNING and not exact
    if frame.code and not too_short:
        return LineMatch(_sorted(exact), By.CODE if exact else By.NONE, elsewhere)
    return LineMatch(_sorted(inside), By.FUNCTION if inside else By.NONE, {})


def _sorted(releases: list[str]) -> tuple[str, ...]:
    return tuple(sorted(releases, key=Version))


def _within(line: int, spans: list[tuple[int, int]]) -> bool:
    return any(first <= line <= last for first, last in spans)


def _lines_with(content: FileLines, frame: Frame) -> list[int]:
    """Numbers of the lines that are a frame's code or, if it is cropped, begin with it."""
    found = _places(base64.b64decode(content.digests), digest(frame.code))
    if frame.cropped and not found and len(frame.code) >= BEGINNING:
        wanted = digest(frame.code[:BEGINNING])
        found = _places(base64.b64decode(content.beginnings), wanted)
    return found


def _places(digests: bytes, wanted: bytes) -> list[int]:
    """Numbers, from 1, of the digests that are the wanted one."""
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
