"""Real checkpoints that are repaired without torch and numpy, as on a host, and copies altered."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from ckptmatrix.checkpoint.format import rewriting_archives
from tests.support.places import TO_REPAIR

Copy = Callable[[Path], Path]
CHECKPOINTS = TO_REPAIR
KOHYA, TIED, TWO = (
    CHECKPOINTS / name for name in ("kohya-0.33.0", "tied-0.24.1", "two-models-1.15.0")
)


def tree(directory: Path) -> dict[str, str]:
    """Digest of every file."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


def one_tensor(name: str, dtype: str, shape: list[int], data: bytes) -> bytes:
    """A safetensors file of one tensor."""
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}
    header = json.dumps({name: entry}).encode()
    return len(header).to_bytes(8, "little") + header + data


def rewrite(path: Path, root: object, source: rewriting_archives.Archive) -> None:
    """Put another graph into a file, with the same storages."""
    sizes = {key: source.sizes[key] for key in source.storages}
    held = {key: b"".join(source.chunks(key)) for key in sizes}

    def chunks(key: str) -> Callable[[], list[bytes]]:
        return lambda: [held[key]]

    path.unlink()
    rewriting_archives.write(path, root, {key: (sizes[key], chunks(key)) for key in sizes})
