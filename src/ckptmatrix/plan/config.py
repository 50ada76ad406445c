"""`matrix.toml`: what is declared. An error in it names the key, the line and a remedy."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from ckptmatrix.errors import UsageError
from ckptmatrix.model import Stack

ALL = "*"
"""In a tier's lists: everything that there is."""

_WORKER = Path(__file__).parents[1] / "worker"
_T = TypeVar("_T")


class _StackTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`[stacks.NAME]` as it is written."""

    python: str
    """Python version."""
    packages: list[str]
    """Pinned requirements."""


class Tier(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`[tiers.NAME]`: which releases meet on which stacks, in which scenarios."""

    accelerate: list[str] | str
    """Releases, or one specifier such as `>=0.10` over what the index has."""
    stacks: list[str] = msgspec.field(default_factory=lambda: [ALL])
    """Names of stacks, or `*`."""
    scenarios: list[str] = msgspec.field(default_factory=lambda: [ALL])
    """Names of scenarios, or `*`."""
    loaders: list[str] = msgspec.field(default_factory=lambda: ["accelerate"])
    """Names of loaders, or `*`."""
    remedies: bool = False
    """Whether the loader `ckptmatrix` and the repaired checkpoint are measured beside a plain load
    that is not exact."""


@dataclass(frozen=True)
class Config:
    """The declared matrix."""

    path: Path
    """The file that it was read from."""
    stacks: dict[str, Stack]
    """Name -> stack, in the order of the file."""
    tiers: dict[str, Tier]
    """Name -> tier."""
    scenarios: dict[str, str]
    """Name -> `module:object`; those that ship with ckptmatrix, then the user's own."""
    loaders: dict[str, str]
    """Name -> `module:function`."""

    @property
    def root(self) -> Path:
        """The folder that the user's own scenarios and loaders are imported from."""
        return self.path.parent

    def tier(self, name: str) -> Tier:
        """The tier of this name.

        Raises:
            UsageError: there is none.
        """
        if name not in self.tiers:
            raise UsageError(
                f"there is no tier '{name}' in {self.path.name}",
                f"take one of {', '.join(self.tiers)}, or add [tiers.{name}]",
            )
        return self.tiers[name]


def shipped(kind: str, attribute: str) -> dict[str, str]:
    """Scenarios or loaders that ship with ckptmatrix, found by their files' names."""
    names = sorted(path.stem for path in (_WORKER / kind).glob("[!_]*.py"))
    return {
        name.replace("_", "-"): f"ckptmatrix.worker.{kind}.{name}:{attribute}" for name in names
    }


def read_config(path: Path) -> Config:
    """Read and check `matrix.toml`.

    Raises:
        UsageError: it is not there, is no TOML, or says something that cannot be meant.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}",
            "run in the folder that has a matrix.toml, or name one with --config",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} is not valid TOML: {error}", "correct that place") from None

    def wrong(problem: str, *key: str) -> UsageError:
        line = line_of(text, key)
        place = f"{path.name}, line {line}" if line else path.name
        name = ".".join(key)
        return UsageError(
            f"{place}: {name}: {problem}", f"correct {name}; docs/matrix-toml.md has every key"
        )

    config = _convert(path.resolve(), tables, wrong)
    _check_stacks(config, wrong)
    _check_tiers(config, wrong)
    return config


_Wrong = Callable[..., UsageError]


def _convert(path: Path, tables: dict[str, Any], wrong: _Wrong) -> Config:
    """The tables as values, their shape checked, their meaning not yet."""
    for key in tables:
        if key not in ("stacks", "tiers", "scenarios", "loaders"):
            raise wrong("this table is not known; there are stacks, tiers, scenarios, loaders", key)
    for key in ("stacks", "tiers"):
        if not tables.get(key):
            raise wrong("at least one is needed", key)

    def named(kind: str, shape: type[_T]) -> dict[str, _T]:
        found = {}
        for name, entry in tables.get(kind, {}).items():
            try:
                found[name] = msgspec.convert(entry, shape)
            except msgspec.ValidationError as error:
                field = re.search(r"`\$\.(\w+)|field `(\w+)`", str(error))
                key = (kind, name, field[1] or field[2]) if field else (kind, name)
                raise wrong(str(error).partition(" - at ")[0], *key) from None
        return found

    stacks = {
        name: Stack(name, table.python, tuple(table.packages))
        for name, table in named("stacks", _StackTable).items()
    }
    return Config(
        path,
        stacks,
        named("tiers", Tier),
        {**shipped("scenarios", "scenario"), **named("scenarios", str)},
        {**shipped("loaders", "load_state"), **named("loaders", str)},
    )


def _check_stacks(config: Config, wrong: _Wrong) -> None:
    for name, stack in config.stacks.items():
        for package in stack.packages:
            try:
                Requirement(package)
            except InvalidRequirement:
                raise wrong(
                    f"'{package}' is not a requirement", "stacks", name, "packages"
                ) from None


def _check_tiers(config: Config, wrong: _Wrong) -> None:
    for name, tier in config.tiers.items():
        try:
            if isinstance(tier.accelerate, str):
                SpecifierSet(tier.accelerate)
            else:
                _ = [Version(release) for release in tier.accelerate]
        except (InvalidSpecifier, InvalidVersion) as error:
            raise wrong(f"{error}", "tiers", name, "accelerate") from None
        for kind in ("stacks", "scenarios", "loaders"):
            known = getattr(config, kind)
            for item in getattr(tier, kind):
                if item != ALL and item not in known:
                    raise wrong(
                        f"'{item}' is not declared; there are {', '.join(known)}",
                        *("tiers", name, kind),
                    )
    for kind in ("scenarios", "loaders"):
        for name, source in getattr(config, kind).items():
            if not re.fullmatch(r"[\w.]+:\w+", source):
                raise wrong(f"'{source}' is not module:object", kind, name)


def line_of(text: str, key: tuple[str, ...]) -> int:
    """Line of a key in a TOML text, from 1; of its table if the key is not there; else 0."""
    found = 0
    inside: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        inside = _table_opened(line) or inside
        if inside == key or (
            inside == key[:-1] and re.match(rf"\s*[\"']?{re.escape(key[-1])}\b", line)
        ):
            return number
        if inside and inside == key[:-1] and not found:
            found = number
    return found


def _table_opened(line: str) -> tuple[str, ...]:
    """The path of the table that a line such as `[stacks."a.b"]` opens."""
    if not line.lstrip().startswith("["):
        return ()
    try:
        table = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path = []
    while isinstance(table, dict) and table:
        name, table = next(iter(table.items()))
        path.append(name)
    return tuple(path)
