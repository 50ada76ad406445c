"""The matrix of a command that needs no project: the folder's own, else the shipped one."""

from importlib import resources
from pathlib import Path

from ckptmatrix.plan.config import Config, read_config

FILENAME = "matrix.toml"


def shipped_matrix() -> Path:
    """The file that comes with ckptmatrix: in an installed package, or in its checkout."""
    package = Path(str(resources.files("ckptmatrix")))
    installed = package / "sample" / FILENAME
    return installed if installed.is_file() else package.parents[1] / FILENAME


def any_config(path: Path | None) -> Config:
    """The matrix that is named, else the one of the working folder, else the shipped one.

    With the shipped one, the working folder is still the one whose home and modules are used.

    Raises:
        UsageError: it says something that cannot be meant.
    """
    here = Path(FILENAME)
    if path is not None or here.is_file():
        return read_config(path or here)
    return read_config(shipped_matrix(), root=Path.cwd())
