"""The code that runs inside environments: its copy (the bundle), and digests of its parts.

A changed scenario makes only its own outcomes stale, so scenarios and loaders have digests of their
own, apart from that of the rest.
"""

import ast
import hashlib
import shutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ckptmatrix.errors import UsageError
from ckptmatrix.util.home import digest
from ckptmatrix.util.unfinished import folder_in

_PACKAGE = Path(__file__).parents[1]
_APART = ("scenarios", "loaders")


def make_bundle(bundles: Path) -> Path:
    """Copy the worker to a folder of its own, named by its content.

    Returns:
        The folder to put on a worker's path. The host's own packages are not within reach of it,
        and a source that is edited during a run does not change the run.
    """
    files = _bundled()
    target = bundles / _digest([_PACKAGE / file for file in files])[:16]
    if target.exists():
        return target
    with folder_in(bundles) as staged:
        for file in files:
            copy = staged / "ckptmatrix" / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(_PACKAGE / file, copy)
        try:
            staged.rename(target)
        except OSError:
            if not target.exists():  # else another process was first
                raise
    return target


def _bundled() -> list[Path]:
    worker = sorted((_PACKAGE / "worker").rglob("*.py"))
    return [Path(name) for name in ("__init__.py", "resume.py") if (_PACKAGE / name).exists()] + [
        path.relative_to(_PACKAGE) for path in worker
    ]


@cache
def core_digest() -> str:
    """Digest of the worker without scenarios and loaders: the judge's version."""
    worker = _PACKAGE / "worker"
    return _digest(p for p in sorted(worker.rglob("*.py")) if p.parent.name not in _APART)


@cache
def package_digest() -> str:
    """Digest of all of ckptmatrix, templates included."""
    files = (path for path in sorted(_PACKAGE.rglob("*")) if path.is_file())
    return _digest(path for path in files if path.suffix != ".pyc")


@cache
def repair_digest() -> str:
    """Digest of what repairs checkpoints."""
    checkpoint = _PACKAGE / "checkpoint"
    files = [*(checkpoint / "format").rglob("*.py"), *(checkpoint / "repair").rglob("*.py")]
    return _digest(sorted(files))


@cache
def source_digest(source: str, root: Path) -> str:
    """Digest of what a scenario or loader is made of.

    Args:
        source: `module:object`.
        root: the folder that a user's own modules are imported from.

    Returns:
        SHA-256 over which object of which module it is, that module, and what it imports of
        scenarios, loaders or the same folder. One module may hold many objects.

    Raises:
        UsageError: there is no such module.
    """
    module = source.partition(":")[0]
    first = _file_of(module, root)
    if first is None:
        raise UsageError(
            f"there is no module {module} in {root}",
            "correct [scenarios] or [loaders] in matrix.toml",
        )
    found, todo = {first}, [first]
    while todo:
        for name in _imports(todo.pop()):
            path = _file_of(name, root)
            if path and path not in found:
                found.add(path)
                todo.append(path)
    return digest(source, _digest(sorted(found)))


def _imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _file_of(module: str, root: Path) -> Path | None:
    """The file of a module that can change between runs; None for one that belongs elsewhere."""
    parts = module.split(".")
    if parts[:2] == ["ckptmatrix", "worker"]:
        path = _PACKAGE.joinpath(*parts[1:]).with_suffix(".py")
        return path if path.exists() and path.parent.name in _APART else None
    if module == "ckptmatrix.resume":
        return _PACKAGE / "resume.py"
    for path in (root.joinpath(*parts).with_suffix(".py"), root.joinpath(*parts, "__init__.py")):
        if path.exists():
            return path
    return None


def _digest(paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()
