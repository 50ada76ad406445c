"""Which files of the source are carried over as they are: those that were read, and no others."""

import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from ckptmatrix.checkpoint.format import names
from ckptmatrix.checkpoint.format.file_fact import FileFact, Reading
from ckptmatrix.checkpoint.format.listing import Listing
from ckptmatrix.checkpoint.format.names import TAGS, is_of_sharded_training
from ckptmatrix.checkpoint.format.opening import UnreadableError, read_small
from ckptmatrix.checkpoint.format.reading_directories import read_files
from ckptmatrix.checkpoint.format.rewriting_archives import DamagedError, DangerousError, opened
from ckptmatrix.checkpoint.format.safety import Rating
from ckptmatrix.checkpoint.repair.state_files import FileChange
from ckptmatrix.errors import UsageError


def carried(
    source: Path, found: Listing, replaced: Collection[str], left: int
) -> tuple[list[str], list[FileChange]]:
    """Choose what is carried over.

    Args:
        source: the checkpoint.
        found: what lies in it.
        replaced: files that are made anew, or left out for another reason.
        left: how many opcodes of pickles are still to be followed in this directory.

    Returns:
        The files, and those that are left out, each with the reason.

    Raises:
        DangerousError: a shard of the state, or what describes it, runs code or may.
        DamagedError: one is not whole.
    """
    kept: list[str] = []
    left_out: list[FileChange] = []
    others = {name: listed for name, listed in found.files.items() if name not in replaced}
    for name, content in read_files(source, others, left).items():
        why = _why_not(content.fact)
        unopened = content.fact.reading is Reading.NOT_OPENED
        if not why or (name in TAGS and unopened and _is_tag(source / name, found)):
            kept.append(name)
        elif is_of_sharded_training(name):
            kind = DangerousError if content.fact.dangerous else DamagedError
            raise kind(
                f"{name} is a part of the state, and {why}.",
                "Without it the others are of no use; nothing was written.",
            )
        else:
            left_out.append(FileChange(name, "left out", why))
    left_out += [FileChange(".", "not all of it was looked at", said) for said in found.problems]
    return kept, left_out


def _why_not(fact: FileFact) -> str:
    """Why a file is not carried over; empty if it is."""
    runs = [name for name, level in fact.globals.items() if level is Rating.DANGEROUS]
    if runs:
        return f"it names {', '.join(runs[:3])}, which runs code, or may"
    base = fact.name.rpartition("/")[2]
    plain = names.TEXT.fullmatch(base) or names.DOCUMENT.fullmatch(base)
    if fact.reading is Reading.NOT_OPENED:
        return "" if plain else "it is nothing that a checkpoint is known to hold"
    return "" if fact.reading is Reading.READ else f"it {fact.problem}"


def _is_tag(path: Path, found: Listing) -> bool:
    """Whether a text file in which DeepSpeed names its folder names one of this directory."""
    try:
        tag = read_small(path, 256).decode("ascii").strip()
    except (UnreadableError, UnicodeDecodeError):
        return False
    return f"{tag}/" in found.folders


def copy_files(source: Path, partial: Path, files: Iterable[str]) -> None:
    """Copy files with their dates, and no more of their modes than who may read and write them.

    Raises:
        DamagedError: one cannot be read.
        UsageError: the place for it is not there.
    """
    for name in files:
        target = partial / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with opened(source / name) as stream, target.open("xb") as written:
                shutil.copyfileobj(stream, written, 1 << 20)
                status = os.fstat(stream.fileno())
        except OSError as error:
            raise UsageError(
                f"{name} cannot be copied ({error.strerror}).", "Make room, or make it readable."
            ) from error
        target.chmod(status.st_mode & 0o666)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
