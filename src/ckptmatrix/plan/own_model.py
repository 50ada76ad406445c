"""The model of a project, found in its sources without running them. Pure."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

_IMAGE = 16
_TOKENS = 8
_APART = frozenset({"tests", "test", "docs", "build", "dist", "node_modules", "site-packages"})


@dataclass(frozen=True)
class OwnModel:
    """A class that derives from `Module` and can be made without arguments."""

    module: str
    """What it is imported from."""
    name: str
    """Its name there."""
    folder: str = ""
    """The folder that has to be on the path, such as `src`; empty for the project's own."""
    shape: tuple[int, ...] = ()
    """Of one input, by its first layer; empty if that tells nothing."""
    tokens: int = 0
    """How many kinds of tokens an input has; 0 where it is numbers."""


def own_models(sources: Mapping[str, str]) -> Iterator[OwnModel]:
    """Find every one, in the order of the files.

    Args:
        sources: path below the project -> text of a Python file.
    """
    for path, text in sources.items():
        place = PurePosixPath(path)
        if _APART & set(place.parts) or any(part.startswith(".") for part in place.parts):
            continue
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and _is_module(node) and _needs_nothing(node):
                yield _model(place, node)


def _model(place: PurePosixPath, node: ast.ClassDef) -> OwnModel:
    parts = list(place.with_suffix("").parts)
    folder = parts.pop(0) if parts[0] == "src" else ""
    if parts[-1] == "__init__":
        parts.pop()
    shape, tokens = _input(node)
    return OwnModel(".".join(parts), node.name, folder, shape, tokens)


def _is_module(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).rpartition(".")[2] == "Module" for base in node.bases)


def _needs_nothing(node: ast.ClassDef) -> bool:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            arguments = item.args
            needed = len(arguments.args) - len(arguments.defaults) - 1
            return needed <= 0 and all(default for default in arguments.kw_defaults)
    return True


def _input(node: ast.ClassDef) -> tuple[tuple[int, ...], int]:
    """Shape of one input, and kinds of tokens, as the first layer with plain numbers has them."""
    for call in sorted(_calls(node), key=lambda call: (call.lineno, call.col_offset)):
        kind = ast.unparse(call.func).rpartition(".")[2]
        first = call.args[0] if call.args else None
        if not (isinstance(first, ast.Constant) and isinstance(first.value, int)):
            continue
        if kind == "Linear":
            return (first.value,), 0
        if kind == "Embedding":
            return (_TOKENS,), first.value
        if kind in ("Conv1d", "Conv2d", "Conv3d"):
            return (first.value, *[_IMAGE] * int(kind[4])), 0
    return (), 0


def _calls(node: ast.ClassDef) -> Iterator[ast.Call]:
    return (one for one in ast.walk(node) if isinstance(one, ast.Call))
