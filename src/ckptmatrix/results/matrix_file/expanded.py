"""`matrix.json`, schema 1: every cell written out, for other programs."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import msgspec

from ckptmatrix.model import CellRecord, Matrix, Problem, ProblemKind
from ckptmatrix.results.matrix_file.encoding import encode_json

FILENAME = "matrix.json"
"""Name of the file in a report's directory."""

SCHEMA = "ckptmatrix.matrix/1"
"""Its schema."""


@dataclass(frozen=True)
class _AsWritten(Matrix):
    """The whole file, as any version wrote it."""

    cells: tuple[CellRecord, ...]
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
    parts = [f'"schema":{_json(SCHEMA)}']
    for entry in fields(matrix):
        value = getattr(matrix, entry.name)
        if isinstance(value, dict):
            lines = [f"{_json(key)}:{_json(item)}" for key, item in value.items()]
            parts.append(f'"{entry.name}":' + _lines("{", lines, "}"))
        elif isinstance(value, Sequence):
            parts.append(f'"{entry.name}":' + _lines("[", [_json(item) for item in value], "]"))
        else:
            parts.append(f'"{entry.name}":{_json(value)}')
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def decode(data: bytes) -> Matrix:
    """Read it back; fields that this version does not know are passed over.

    Raises:
        msgspec.DecodeError: it is no JSON, or does not keep to its schema.
    """
    return msgspec.json.decode(data, type=_AsWritten).matrix()


def _json(value: object) -> str:
    return encode_json(value).decode()


def _lines(opening: str, lines: list[str], closing: str) -> str:
    return opening + "\n" + ",\n".join(lines) + "\n" + closing if lines else opening + closing
