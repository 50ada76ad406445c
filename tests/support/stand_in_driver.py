"""The driver of the project's CUDA stand-in, compiled: a GPU for tests that only look at one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.places import ROOT

SOURCES = ROOT / "tools" / "standin"
needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="there is no gcc here")


def compiled(folder: Path, name: str = "libcuda.so.1", source: Path = SOURCES / "driver.c") -> Path:
    """Compile a library into a folder; returns its path."""
    library = folder / name
    options = ["-w", "-shared", "-fPIC", f"-Wl,-soname,{name}", f"-I{SOURCES}"]
    command = ["gcc", *options, str(source), "-o", str(library)]
    subprocess.run(command, check=True)
    return library
