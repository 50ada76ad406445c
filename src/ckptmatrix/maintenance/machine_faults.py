"""What a machine does to a run beside killing it: done on purpose, one at a time."""

import random
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

from ckptmatrix.util.home import Home


class MachineFault(StrEnum):
    """What is done before a run starts, or while it runs."""

    FULL = "full disk"
    """No file may grow beyond some kilobytes, as under a quota."""
    READ_ONLY = "read-only home"
    """Nothing in the home can be written."""
    NO_INDEX = "no index"
    """No package can be had, from no cache either, and an environment is missing."""
    ENVIRONMENT = "damaged environment"
    """A file of an installed package is cut off or altered."""
    CHECKPOINT = "damaged checkpoint"
    """A file of a checkpoint is cut off or altered."""

    @property
    def mended(self) -> bool:
        """Whether the run has to come to its end all the same; else it may refuse to go on."""
        return self in (MachineFault.ENVIRONMENT, MachineFault.CHECKPOINT)


@dataclass(frozen=True)
class Inflicted:
    """What a run is started with."""

    before: tuple[str, ...] = ()
    """What stands in front of its command."""
    variables: dict[str, str] = field(default_factory=dict)
    """What is added to its environment."""
    file: Path | None = None
    """What was damaged."""


_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def inflict(fault: MachineFault, home: Home, draw: random.Random) -> Inflicted | None:
    """Do it, or say how a run has to be started for it; None where nothing is there to damage.

    Args:
        fault: what.
        home: of the run.
        draw: where chance comes from.
    """
    match fault:
        case MachineFault.FULL:
            return Inflicted(("prlimit", f"--fsize={draw.choice(_KILOBYTES) * 1024}"))
        case MachineFault.READ_ONLY if not _may_mount():
            return None
        case MachineFault.READ_ONLY:  # in a mount namespace that ends with the run
            return Inflicted(("unshare", "-m", "sh", "-c", _READ_ONLY, str(home.root)))
        case MachineFault.NO_INDEX:
            nothing = ("UV_FIND_LINKS", "PIP_FIND_LINKS", "UV_INDEX", "PIP_EXTRA_INDEX_URL")
            gone = dict.fromkeys(("UV_DEFAULT_INDEX", "PIP_INDEX_URL"), "http://127.0.0.1:9/simple")
            cache = {"UV_CACHE_DIR": str(home.root.parent / "no-cache"), "UV_HTTP_RETRIES": "0"}
            return Inflicted((), {**dict.fromkeys(nothing, ""), **gone, **cache})
        case MachineFault.ENVIRONMENT:
            packages = "accelerate-*/lib/python*/site-packages"
            return _damaged(draw, home.environments.glob(f"{packages}/accelerate/*.py"))
        case MachineFault.CHECKPOINT:
            found = home.checkpoints.glob("*/[!.]*/**/*")
            return _damaged(draw, (path for path in found if path.is_file()))


@cache
def _may_mount() -> bool:
    return (
        subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0
    )


_KILOBYTES = (4, 20, 60, 200)


def _damaged(draw: random.Random, paths: Iterable[Path]) -> Inflicted | None:
    """Cut off one of these files, or alter a byte of it; what it is linked to stays as it was."""
    there = sorted(path for path in paths if path.stat().st_size)
    if not there:
        return None
    chosen = draw.choice(there)
    content = bytearray(chosen.read_bytes())
    place = draw.randrange(len(content))
    if draw.random() < 1 / 2:
        del content[place:]
    else:
        content[place] ^= 1
    chosen.unlink()
    chosen.write_bytes(content)
    return Inflicted(file=chosen)
