"""What a run that was killed leaves behind in a home, removed by the next one."""

import shutil
from contextlib import suppress

from filelock import Timeout

from ckptmatrix.environments.installation import lock_of
from ckptmatrix.environments.stamp import STAMP
from ckptmatrix.util.home import Home
from ckptmatrix.util.unfinished import sweep, temporary_folder


def sweep_home(home: Home) -> int:
    """Remove files, folders and environments that nobody finishes any more.

    Returns:
        How many.
    """
    for compiled in home.bundles.glob("*/**/__pycache__"):
        # On a full disk Python leaves half of it (python/cpython#126606), and would fail for ever.
        shutil.rmtree(compiled, ignore_errors=True)
    folders = [folder for folder in home.root.glob("*") if folder.is_dir()]
    folders += [*home.checkpoints.glob("*/"), *home.environments.glob("accelerate-*/")]
    return sweep([temporary_folder(), home.root, *folders]) + _sweep_environments(home)


def _sweep_environments(home: Home) -> int:
    """Those without a stamp: it is written when all else is there."""
    removed = 0
    for directory in home.environments.glob("accelerate-*/"):
        if not (directory / STAMP).exists():
            with suppress(Timeout, OSError), lock_of(directory).acquire(timeout=0):
                if not (directory / STAMP).exists():
                    shutil.rmtree(directory)
                    removed += 1
    return removed
