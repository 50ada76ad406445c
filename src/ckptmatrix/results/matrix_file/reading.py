"""Reading a run's file: by its name or its directory, packed or not, of either schema."""

import zlib
from pathlib import Path

import msgspec
from packaging.version import InvalidVersion, Version

from ckptmatrix.errors import UsageError
from ckptmatrix.model import Matrix
from ckptmatrix.model.cell_table import CellTable
from ckptmatrix.results.matrix_file import compact, expanded
from ckptmatrix.util.handed_over import read_packed, understood

_DECODERS = {compact.SCHEMA: compact.decode, expanded.SCHEMA: expanded.decode}


class _Head(msgspec.Struct):
    """As much of the file as shows whether the rest can be understood."""

    schema: str = ""


def read_matrix(path: Path) -> Matrix:
    """Read `path`, or what lies in it if it is a directory: `matrix.json.gz`, else `matrix.json`.

    Where only the packed file lies, the name without `.gz` means it.

    Raises:
        UsageError: there is no such file, or it cannot be understood.
    """
    file = path
    if path.is_dir():
        packed = path / compact.FILENAME
        file = packed if packed.is_file() else path / expanded.FILENAME
    elif not path.is_file():
        packed = path.with_name(f"{path.name}.gz")
        file = packed if packed.is_file() else path
    try:
        data = read_packed(file)
    except zlib.error as error:
        raise UsageError(f"{file} is damaged: {error}", "take it from the run again") from error
    except (OSError, EOFError) as error:
        raise UsageError(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or error}",
            "run `ckptmatrix run` first, or name the matrix.json.gz of another run",
        ) from error
    return decode(data, str(file))


def decode(data: bytes, name: str) -> Matrix:
    """Understand a file that has been read and unpacked.

    Args:
        data: JSON of either schema.
        name: what to call the file in an error.

    Raises:
        UsageError: not JSON, another schema, or a field of another type; says which.
    """
    with understood(name, "take it from the run again"):
        return _decode(data, name)


def _decode(data: bytes, name: str) -> Matrix:
    try:
        schema = msgspec.json.decode(data, type=_Head).schema
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{name} is no matrix.json: {error}",
            "give the matrix.json.gz that `ckptmatrix run` wrote",
        ) from error
    if schema not in _DECODERS:
        found = f"has the schema {schema!r}" if schema else "names no schema"
        raise UsageError(
            f"{name} {found}, this version reads {' and '.join(map(repr, _DECODERS))} only",
            "measure again with this version, or render with the version that wrote the file",
        )
    try:
        matrix = _DECODERS[schema](data)
        _check(matrix)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{name} does not keep to its schema: {error}",
            "the file was changed by hand or cut short; take it from the run again",
        ) from error
    return matrix


def _check(matrix: Matrix) -> None:
    """Refuse what has the right shape and cannot be meant.

    Raises:
        msgspec.ValidationError: a cell is there twice, or a release is no version.
    """
    for id_, environment in matrix.environments.items():
        try:
            Version(environment.accelerate)
        except InvalidVersion as error:
            raise msgspec.ValidationError(f"{error} - at `$.environments.{id_[:80]}`") from error
    twice = CellTable.of(matrix.cells).twice()
    if twice is not None:
        raise msgspec.ValidationError(f"the cell {' / '.join(twice)} is there twice")
