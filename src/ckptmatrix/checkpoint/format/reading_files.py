"""One file of a directory, read as its content demands, whatever it is called."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from ckptmatrix.checkpoint.format import names
from ckptmatrix.checkpoint.format.archive import HEAD, PICKLE_LIMIT
from ckptmatrix.checkpoint.format.documents import read_document
from ckptmatrix.checkpoint.format.file_fact import FileFact, Reading
from ckptmatrix.checkpoint.format.inert import PickleStructure, keys_of
from ckptmatrix.checkpoint.format.listing import ListedFile
from ckptmatrix.checkpoint.format.opcodes import is_pickle
from ckptmatrix.checkpoint.format.opening import (
    AbsentError,
    UnreadableError,
    UnreadError,
    open_inside,
)
from ckptmatrix.checkpoint.format.pickles import OPCODE_LIMIT, read_pickle
from ckptmatrix.checkpoint.format.safetensors import TensorSpec, read_header
from ckptmatrix.checkpoint.format.safety import rate
from ckptmatrix.checkpoint.format.shard_calls import has_strides
from ckptmatrix.checkpoint.format.torch_file import BarePickleError, read_torch_file

DOCUMENT_LIMIT = 1 << 20
"""Largest JSON file that is read, in bytes."""
SPENT = "was not read: there is more in the others than is read of a directory"
"""What is said of a pickle for which no opcodes are left."""
_SNIFFED = 64 << 10
"""Largest file of another kind that is looked through for a pickle, in bytes."""


@dataclass(frozen=True)
class Content:
    """What one file yielded."""

    fact: FileFact
    pickle: PickleStructure | None = None
    tensors: tuple[TensorSpec, ...] = ()
    document: dict[str, Any] | None = None
    sizes: dict[str, int] | None = None
    """Record of its archive -> bytes."""
    cost: int = 0
    """Opcodes that were followed."""


def read_file(root: Path, name: str, listed: ListedFile, left: int = OPCODE_LIMIT) -> Content:
    """Read what one file says of itself; whatever it is, it becomes a fact.

    Args:
        root: the directory.
        name: the file's path below it.
        listed: what the listing said.
        left: how many opcodes of pickles are still to be followed in this directory.
    """
    fact = FileFact(name, listed.size, listed.problem)
    if listed.problem:
        return Content(replace(fact, reading=Reading.ABSENT, raises=listed.raises))
    try:
        with open_inside(root, name) as stream:
            return _read(stream, fact, left)
    except BarePickleError as error:
        return _bare(fact, error)
    except AbsentError as error:
        absent = Reading.ABSENT
        return Content(replace(fact, problem=str(error), reading=absent, raises=error.raises))
    except UnreadError as error:
        return Content(replace(fact, problem=str(error), reading=Reading.UNREAD))
    except UnreadableError as error:
        damaged = Reading.DAMAGED
        return Content(replace(fact, problem=str(error), reading=damaged, raises=error.raises))
    except OSError as error:
        said = f"cannot be read ({error.strerror})"
        return Content(replace(fact, problem=said, reading=Reading.DAMAGED))
    except Exception as error:  # noqa: BLE001 - nothing in a file may end the look at the others
        said = f"was not understood ({type(error).__name__})"
        return Content(replace(fact, problem=said, reading=Reading.UNREAD))


def _read(stream: BinaryIO, fact: FileFact, left: int) -> Content:
    base = fact.name.rpartition("/")[2]
    head = stream.read(8)
    stream.seek(0)
    pickled = names.PICKLED.fullmatch(base) or names.kind_of(base) or base == names.SHARD_INDEX
    if names.WEIGHTS.fullmatch(base) and head[:4] != HEAD:
        return _weights(stream, fact)
    if left <= 0 and (pickled or head[:4] == HEAD or head[:1] == b"\x80"):
        raise UnreadError(SPENT)
    if names.SHARDS.fullmatch(base):
        raise UnreadError("is a shard that no .metadata describes")  # those that are come later
    if base == names.SHARD_INDEX:
        structure = read_pickle(stream.read(PICKLE_LIMIT + 1), limit=left)
        return from_pickle(replace(fact, strides=has_strides(structure)), structure)
    if pickled or names.WEIGHTS.fullmatch(base):
        return _torch_file(stream, fact, left)
    if names.DOCUMENT.fullmatch(base) and fact.bytes <= DOCUMENT_LIMIT:
        return _document(fact, stream.read(DOCUMENT_LIMIT + 1))
    if head[:4] == HEAD:
        return _other_zip(stream, fact, left)
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        return _torch_file(stream, fact, left)
    if is_pickle(head) and fact.bytes <= _SNIFFED:
        structure = read_pickle(stream.read(_SNIFFED), limit=left)
        if not structure.problem and structure.globals:
            return from_pickle(fact, structure)
    return Content(replace(fact, reading=Reading.NOT_OPENED))


def _weights(stream: BinaryIO, fact: FileFact) -> Content:
    try:
        header = read_header(stream)
    except UnreadableError as error:
        raise UnreadableError(str(error), "SafetensorError") from error
    problem = header.problem or header.twice
    reading = Reading.DAMAGED if problem else Reading.READ
    read = replace(
        fact,
        problem=problem,
        reading=reading,
        keys=tuple(sorted(header.metadata)),
        raises="SafetensorError" if header.problem else "",
    )
    return Content(read, tensors=header.tensors)


def _torch_file(stream: BinaryIO, fact: FileFact, left: int) -> Content:
    archive, structure = read_torch_file(stream, left)
    content = from_pickle(fact, structure)
    found = content.fact
    if archive.problem and not found.problem:
        found = replace(found, problem=archive.problem, reading=Reading.DAMAGED)
    if names.WEIGHTS.fullmatch(fact.name) and not found.problem:
        # As accelerate's save_model of 0.21 and 0.22 wrote it.
        said = "is a torch zip under the name of a safetensors file"
        found = replace(found, problem=said, reading=Reading.DAMAGED, raises="SafetensorError")
    container = frozenset(key for key in archive.records if not key.startswith("data/"))
    found = replace(found, container=container, old=archive.old)
    return replace(content, fact=found, sizes=archive.sizes)


def _other_zip(stream: BinaryIO, fact: FileFact, left: int) -> Content:
    """A zip under a name that nobody gives to a file of torch's: perhaps one all the same."""
    try:
        return _torch_file(stream, fact, left)
    except UnreadableError:
        stream.seek(max(0, fact.bytes - (1 << 20)))
        if b"data.pkl" in stream.read(1 << 20).lower():
            raise
    return Content(replace(fact, reading=Reading.NOT_OPENED))


def from_pickle(fact: FileFact, structure: PickleStructure) -> Content:
    """What a pickle says: its names with their ratings, its keys, how far it was followed."""
    rated, forged = rate(structure)
    problem, reading = structure.problem or forged, Reading.READ
    if structure.problem:
        reading = Reading.DAMAGED if structure.truncated else Reading.UNREAD
        if reading is Reading.UNREAD:
            problem = f"{problem}; not read to its end"
    raises = "RuntimeError" if structure.truncated else ""
    found = replace(
        fact,
        problem=problem,
        reading=reading,
        globals=rated,
        keys=keys_of(structure.value)[:1000],
        raises=raises,
    )
    return Content(found, pickle=replace(structure, calls=(), stored=()), cost=structure.opcodes)


def _bare(fact: FileFact, error: BarePickleError) -> Content:
    """A pickle that torch did not write. torch.load runs it, and then finds no magic number."""
    content = from_pickle(fact, error.pickle)
    found = replace(content.fact, problem=str(error), reading=Reading.UNREAD)
    if error.whole:
        raises = "RuntimeError: Invalid magic number"
        found = replace(found, reading=Reading.DAMAGED, raises=raises)
    return replace(content, fact=found, pickle=None)


def _document(fact: FileFact, data: bytes) -> Content:
    parsed, twice = read_document(data)
    if not isinstance(parsed, dict):
        return Content(replace(fact, problem=twice))
    return Content(replace(fact, problem=twice, keys=tuple(parsed)[:1000]), document=parsed)
