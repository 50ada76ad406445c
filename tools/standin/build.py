"""Build the CUDA stand-in: a driver, a monitor and a runtime without a GPU, for torch's own wheels.

    build.py ENVIRONMENT OUT

Memory is real, kernels do nothing, and a child forked after its parent initialised CUDA is refused.
ENVIRONMENT is a virtual environment with a CUDA 12 build of torch. Nothing in it is replaced (its
files are links into uv's cache): a `.pth` file lets its Python load the stand-in's runtime first,
and torch, which asks for libraries of those names, is given those that are there already. OUT/lib
holds the driver and the monitor, which belong to a machine: it is for LD_LIBRARY_PATH.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

SOURCES = Path(__file__).parent
REPLACED = {
    "cuda_runtime/lib/libcudart.so.12": ("devices.c", "memory.c", "launching.c"),
    "cublas/lib/libcublas.so.12": (),
    "cublas/lib/libcublasLt.so.12": ("algebra.c",),
}
"""Libraries of the wheels in whose places the stand-in's are loaded -> what these do.

All else that they export is a stub that succeeds."""
PRELOAD = "cuda_standin.pth"
"""Python runs its line whenever it starts in the environment."""


def why_not(environment: Path) -> str:
    """Why it cannot be built for an environment; empty if it can."""
    missing = [tool for tool in ("gcc", "nm") if not shutil.which(tool)]
    if missing:
        return f"there is no {missing[0]} on this machine"
    if not all((_wheels(environment) / path).exists() for path in REPLACED):
        return f"the torch in {environment.name} is no CUDA 12 build"
    return ""


def build(environment: Path, out: Path) -> Path:
    """Compile everything, against the libraries and headers of an environment's wheels.

    Returns:
        The folder for LD_LIBRARY_PATH.
    """
    wheels = _wheels(environment)
    machine, runtime = out / "lib", out / "runtime"
    for folder in (machine, runtime):
        folder.mkdir(parents=True, exist_ok=True)
    asked = environment_file(environment, "torch/lib/libcaffe2_nvrtc.so")
    driver = [name for name in _names(asked, "--undefined-only") if re.match("cu[A-Z]", name)]
    _library(machine / "libcuda.so.1", ("driver.c",), driver)
    _library(machine / "libnvidia-ml.so.1", ("monitor.c",), ())
    headers = wheels / "cuda_runtime" / "include"
    for path, sources in REPLACED.items():
        exported = _names(wheels / path, "--defined-only")
        _library(runtime / Path(path).name, sources, exported, headers, versioned=True)
    return machine


def put_into(environment: Path, out: Path) -> None:
    """Let an environment's Python load the stand-in's runtime before anything else."""
    paths = [str(out.resolve() / "runtime" / Path(name).name) for name in REPLACED]
    line = f"import ctypes; list(map(ctypes.CDLL, {paths}))\n"
    environment_file(environment, PRELOAD).write_text(line, encoding="utf-8")


def environment_file(environment: Path, path: str) -> Path:
    """A file among an environment's packages."""
    [packages] = environment.glob("lib/python3*/site-packages")
    return packages / path


def _wheels(environment: Path) -> Path:
    return environment_file(environment, "nvidia")


def _names(library: Path, which: str) -> list[str]:
    """Functions that a library defines, or that it asks others for."""
    options = ["--dynamic", "--format=posix", "--without-symbol-versions", which]
    command = ["nm", *options, str(library)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sorted({name for name, kind, *_ in map(str.split, listed.splitlines()) if kind != "A"})


def _library(
    target: Path,
    sources: Iterable[str],
    wanted: Iterable[str],
    headers: Path = SOURCES,
    versioned: bool = False,
) -> None:
    """Compile a library: what the sources define, and a stub that answers 0 for all else wanted."""
    work = target.parent / f"{target.name}.work"
    work.mkdir(exist_ok=True)
    objects = []
    for source in sources:
        objects.append(work / f"{source}.o")
        include = [f"-I{SOURCES}", f"-I{headers}"]
        _gcc("-c", "-fPIC", "-O1", "-w", *include, SOURCES / source, "-o", objects[-1])
    defined = _defined(objects)
    stubs = work / "stubs.c"
    left = (name for name in wanted if name not in defined)
    stubs.write_text("".join(f"long {name}(void) {{ return 0; }}\n" for name in left))
    linking = ["-shared", "-fPIC", "-w", f"-Wl,-soname,{target.name}"]
    if versioned:
        # Whoever was linked to the original asks for its functions together with its name.
        versions = work / "versions.map"
        versions.write_text(f"{target.name} {{ global: *; }};\n")
        linking.append(f"-Wl,--version-script,{versions}")
    _gcc(*linking, *objects, stubs, "-ldl", "-o", target)


def _defined(objects: list[Path]) -> set[str]:
    if not objects:
        return set()
    command = ["nm", "--format=posix", "--defined-only", "--extern-only", *map(str, objects)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listed.splitlines() if line and not line.endswith(":")}


def _gcc(*arguments: str | Path) -> None:
    subprocess.run(["gcc", *arguments], check=True)


if __name__ == "__main__":
    built_in, place = map(Path, sys.argv[1:3])
    reason = why_not(built_in)
    if reason:
        raise SystemExit(reason)
    print(build(built_in, place))
    put_into(built_in, place)
