"""`matrix.json`: the finding of a run as a file, and back."""

import gzip
import json
import zlib
from dataclasses import dataclass, fields
from pathlib import Path

import msgspec

from ckptmatrix.errors import UsageError
from ckptmatrix.model import SCHEMA, Matrix, Problem, ProblemKind
from ckptmatrix.results.report.page import Page

FILENAME = "matrix.json"
"""Name of the file in a report's directory."""


class _Head(msgspec.Struct):
    """As much of the file as shows whether the rest can be understood."""

    schema: str = ""


@dataclass(frozen=True)
class _AsWritten(Matrix):
    """The whole file, as any version wrote it."""

    # Wider than what it becomes: earlier versions wrote problems as bare texts.
    problems: tuple[Problem | str, ...] = ()  # type: ignore[assignment]

    def matrix(self) -> Matrix:
        """The same as this version has it."""
        problems = tuple(
            Problem(ProblemKind.OTHER, one) if isinstance(one, str) else one
            for one in self.problems
        )
        return Matrix(**{**vars(self), "problems": problems})


def encode(matrix: Matrix) -> bytes:
    """Give the matrix as JSON, one environment, checkpoint or cell on each line.

    One line each keeps the file small and its differences in git readable.
    """
    parts = [f'"schema":{_json(matrix.schema)}']
    for entry in fields(matrix):
        if entry.name == "schema":
            continue
        value = getattr(matrix, entry.name)
        if isinstance(value, dict):
            lines = [f"{_json(key)}:{_json(item)}" for key, item in value.items()]
            parts.append(f'"{entry.name}":' + _lines("{", lines, "}"))
        elif isinstance(value, tuple):
            parts.append(f'"{entry.name}":' + _lines("[", [_json(item) for item in value], "]"))
        else:
            parts.append(f'"{entry.name}":{_json(value)}')
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def render(page: Page) -> bytes:
    """Give the file as a format does; it holds what was measured, nothing that follows from it."""
    return encode(page.matrix)


def decode(data: bytes, name: str = FILENAME) -> Matrix:
    """Read a matrix back.

    Args:
        data: what `encode` gave; fields that this version does not know are passed over.
        name: what to call the file in an error.

    Raises:
        UsageError: not JSON, another schema, or a field of another type; says which.
    """
    try:
        schema = msgspec.json.decode(data, type=_Head).schema
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{name} is not a {FILENAME}: {error}",
            "give the matrix.json that `ckptmatrix run` wrote",
        ) from error
    if schema != SCHEMA:
        found = f"has the schema {schema!r}" if schema else "names no schema"
        raise UsageError(
            f"{name} {found}, this version reads {SCHEMA!r} only",
            "measure again with this version, or render with the version that wrote the file",
        )
    try:
        return msgspec.json.decode(data, type=_AsWritten).matrix()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{name} does not keep to its schema: {error}",
            "the file was changed by hand or cut short; take it from the run again",
        ) from error


def read_matrix(path: Path) -> Matrix:
    """Read `path`, or the `matrix.json` in it if it is a directory; either may be gzipped.

    Where only the packed file lies, as in the sample, the name without `.gz` means it.

    Large runs repeat themselves: a committed one takes a fiftieth of its size as `matrix.json.gz`.

    Raises:
        UsageError: there is no such file, or it cannot be understood.
    """
    file = path / FILENAME if path.is_dir() else path
    packed = file.with_name(f"{file.name}.gz")
    if packed.is_file() and not file.is_file():
        file = packed
    try:
        data = file.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
    except zlib.error as error:
        raise UsageError(f"{file} is damaged: {error}", "take it from the run again") from error
    except (OSError, EOFError) as error:
        raise UsageError(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or error}",
            "run `nox -s matrix` first, or name the matrix.json of another run",
        ) from error
    return decode(data, str(file))


def encode_json(value: object) -> bytes:
    """Give any value as JSON, also if a text in it is no Unicode.

    A file name that is no UTF-8 reaches Python with lone surrogates; they become `?`.
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode("utf-8", "replace")


def _json(value: object) -> str:
    return encode_json(value).decode()


def _lines(opening: str, lines: list[str], closing: str) -> str:
    return opening + "\n" + ",\n".join(lines) + "\n" + closing if lines else opening + closing
