"""The shards of torch.distributed.checkpoint, read where their `.metadata` says that they lie."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ckptmatrix.checkpoint.format import names
from ckptmatrix.checkpoint.format.archive import HEAD, read_archive
from ckptmatrix.checkpoint.format.arguments import path_of
from ckptmatrix.checkpoint.format.file_fact import FileFact, Reading
from ckptmatrix.checkpoint.format.inert import (
    InertCall,
    PickleStructure,
    get,
    members_of,
    pairs_of,
)
from ckptmatrix.checkpoint.format.opening import UnreadableError, UnreadError, open_inside
from ckptmatrix.checkpoint.format.pickles import read_pickle
from ckptmatrix.checkpoint.format.reading_files import SPENT, Content
from ckptmatrix.checkpoint.format.safety import rate

_PLACE = "torch.distributed.checkpoint.filesystem._StorageInfo"
_SHARD_LIMIT = 100_000
"""Most pieces that are looked at in one directory."""


def read_shards(root: Path, contents: dict[str, Content], left: int) -> dict[str, Content]:
    """Read the shards that a `.metadata` names.

    Args:
        root: the directory.
        contents: path of a file -> what it yielded so far.
        left: how many opcodes of pickles are still to be followed in this directory.

    Returns:
        Path of a shard, or of a `.metadata` whose shards are not all there -> what it yields.
    """
    found: dict[str, Content] = {}
    for name, content in contents.items():
        folder, _, base = name.rpartition("/")
        if base != names.SHARD_INDEX or content.pickle is None:
            continue
        prefix = f"{folder}/" if folder else ""
        pieces = _pieces(content.pickle)
        for file, slices in pieces.items():
            shard = contents.get(prefix + file)
            if shard is not None and names.SHARDS.fullmatch(file):
                read = _shard(root, prefix + file, shard.fact, sorted(slices), left)
                left -= read.cost
                found[prefix + file] = read
        missing = sorted(file for file in pieces if prefix + file not in found)
        if missing and not content.fact.problem:
            what = "is no shard" if prefix + missing[0] in contents else "is not there"
            said = f"names {missing[0][:80]}, which {what} ({len(missing)} shards missing)"
            fact = replace(content.fact, problem=said, reading=Reading.DAMAGED)
            found[name] = replace(content, fact=fact)
    return found


def _pieces(structure: PickleStructure) -> dict[str, list[tuple[int, int]]]:
    """File -> begin and length of each archive in it, as a `.metadata` says."""
    pieces: dict[str, list[tuple[int, int]]] = {}
    storage = get(_state(structure.value), "storage_data")
    for _, place in pairs_of(storage)[:_SHARD_LIMIT]:
        if not isinstance(place, InertCall) or path_of(place.function) != _PLACE:
            continue
        state = _state(place)
        file, begin, length = (get(state, key) for key in ("relative_path", "offset", "length"))
        if isinstance(file, str) and type(begin) is int and type(length) is int:
            pieces.setdefault(file, []).append((begin, length))
    return pieces


def _state(value: Any) -> Any:
    """What is given to an object after it is made: its fields."""
    state = value.state if isinstance(value, InertCall) else None
    return members_of(state)[0] if members_of(state) else state


def _shard(
    root: Path, name: str, fact: FileFact, slices: list[tuple[int, int]], left: int
) -> Content:
    """Read one shard: archives where its `.metadata` says.

    Args:
        root: the directory.
        name: the file's path below it.
        fact: what is known of it.
        slices: begin and length of each archive, in bytes; in order.
        left: how many opcodes are still to be followed.
    """
    rated, cost, at = dict(fact.globals), 0, 0
    try:
        with open_inside(root, name) as stream:
            for begin, length in slices:
                if begin != at or length < 0 or begin + length > fact.bytes:
                    short = begin + length > fact.bytes
                    kind = UnreadableError if short else UnreadError
                    raise kind("is shorter than .metadata says" if short else "has gaps")
                stream.seek(begin)
                if length and stream.read(4) != HEAD:
                    raise UnreadError("holds something else than archives, which torch may run")
                archive = read_archive(stream, begin, begin + length)
                if cost >= left:
                    raise UnreadError(SPENT)
                structure = read_pickle(archive.pickle, limit=left - cost)
                found, forged = rate(structure)
                rated.update(found)
                cost += structure.opcodes
                at = begin + length
                if structure.problem or forged:
                    raise UnreadError(structure.problem or forged)
            if at != fact.bytes:
                raise UnreadError("holds more than .metadata says")
    except UnreadError as error:
        said = f"{error}; not read to its end"
        return Content(replace(fact, problem=said, globals=rated, reading=Reading.UNREAD))
    except (UnreadableError, OSError) as error:
        return Content(replace(fact, problem=str(error), globals=rated, reading=Reading.DAMAGED))
    return Content(replace(fact, problem="", globals=rated, reading=Reading.READ), cost=cost)
