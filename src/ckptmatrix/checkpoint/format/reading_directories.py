"""The files of a directory, read together: they share one bound, and a shard's place is told by
another file."""

from collections.abc import Mapping
from pathlib import Path

from ckptmatrix.checkpoint.format.listing import ListedFile
from ckptmatrix.checkpoint.format.pickles import DIRECTORY_OPCODES
from ckptmatrix.checkpoint.format.reading_files import Content, read_file
from ckptmatrix.checkpoint.format.shards import read_shards


def read_files(
    root: Path, files: Mapping[str, ListedFile], left: int = DIRECTORY_OPCODES
) -> dict[str, Content]:
    """Read what each file says of itself; whatever it is, it becomes a fact.

    Args:
        root: the directory.
        files: path below it -> what the listing said.
        left: how many opcodes of pickles are followed, in all of them together.
    """
    contents: dict[str, Content] = {}
    for name, listed in files.items():
        contents[name] = read_file(root, name, listed, left)
        left -= contents[name].cost
    return {**contents, **read_shards(root, contents, left)}
