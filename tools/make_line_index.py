"""Make the line index of `ckptmatrix explain` from the released wheels of accelerate.

    python tools/make_line_index.py                       asks the index, downloads, writes
    python tools/make_line_index.py --wheels DIR          uses and fills DIR
    python tools/make_line_index.py --check --wheels DIR  compares with the shipped index only

For every release from 0.6.0 on it reads the files on the way of saving and loading, and keeps for
each line a digest of it and of its beginning, for each function its extent. Written only if it
changed.
"""

import argparse
import ast
import base64
import lzma
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import msgspec
from packaging.version import Version

from ckptmatrix.checkpoint.explain.lines import (
    RESOURCE,
    FileLines,
    Index,
    digest,
    digest_of_beginning,
)
from ckptmatrix.util.files import write_atomically

FILES = (
    "accelerate/accelerator.py",
    "accelerate/checkpointing.py",
    "accelerate/optimizer.py",
    "accelerate/scheduler.py",
    "accelerate/data_loader.py",
    "accelerate/state.py",
    "accelerate/big_modeling.py",
    "accelerate/utils/other.py",
    "accelerate/utils/modeling.py",
    "accelerate/utils/fsdp_utils.py",
    "accelerate/utils/deepspeed.py",
    "accelerate/utils/megatron_lm.py",
    "accelerate/utils/operations.py",
    "accelerate/utils/random.py",
    "accelerate/utils/offload.py",
)
FIRST = Version("0.6.0")
TARGET = Path(__file__).parents[1] / "src/ckptmatrix/checkpoint/explain" / RESOURCE


def pip(*arguments: str) -> str:
    """Run pip with this machine's own index settings and give what it prints."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def releases() -> list[str]:
    """Every final release on the index from `FIRST` on, oldest first."""
    listed = re.search(r"Available versions: (.*)", pip("index", "versions", "accelerate"))
    assert listed is not None, "pip index said nothing that is understood"
    found = {Version(text) for text in listed[1].split(", ")}
    return [str(v) for v in sorted(found) if v >= FIRST and not v.is_prerelease]


def wheel(release: str, folder: Path) -> Path:
    """The wheel of a release, downloaded if it is not there."""
    pattern = f"accelerate-{release}-*.whl"
    if not list(folder.glob(pattern)):
        pip("download", "--quiet", "--no-deps", "--dest", str(folder), f"accelerate=={release}")
    return next(folder.glob(pattern))


def lines_of(source: str) -> FileLines:
    """Digests of all lines and extents of all functions of one file."""
    functions = [
        (node.name, node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lines = source.splitlines()
    whole = b"".join(map(digest, lines))
    beginnings = b"".join(map(digest_of_beginning, lines))
    return FileLines(
        base64.b64encode(whole).decode(),
        base64.b64encode(beginnings).decode(),
        sorted(functions, key=lambda function: function[1]),
    )


def make_index(folder: Path) -> Index:
    """Read all wheels; a file that a release has not is left out for it."""
    files: dict[str, dict[str, FileLines]] = {name: {} for name in FILES}
    known = releases()
    for release in known:
        with zipfile.ZipFile(wheel(release, folder)) as archive:
            for name in set(FILES) & set(archive.namelist()):
                files[name][release] = lines_of(archive.read(name).decode("utf-8"))
        print(release, end=" ", flush=True)
    print()
    return Index(known, files)


def main() -> int:
    """Parse the arguments, make the index, write or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--wheels", type=Path, help="folder to take wheels from and keep them in")
    parser.add_argument("--check", action="store_true", help="compare only; 1 if it differs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.wheels or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        index = make_index(folder)
    plain = msgspec.json.encode(index)
    old = lzma.decompress(TARGET.read_bytes()) if TARGET.exists() else b""
    if plain == old:
        print("unchanged")
        return 0
    if arguments.check:
        print("differs from the shipped index")
        return 1
    packed = lzma.compress(plain, preset=9 | lzma.PRESET_EXTREME)
    write_atomically(TARGET, packed)
    print(f"{TARGET}: {len(index.releases)} releases, {len(plain):,} bytes, packed {len(packed):,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
