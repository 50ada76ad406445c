"""`matrix.toml`: what is declared. An error in it names the key, the line and a remedy."""

import fnmatch
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from ckptmatrix.errors import UsageError
from ckptmatrix.model import Device, Stack
from ckptmatrix.plan.narrowings import DEFAULT_TIER, QUICK_TIER
from ckptmatrix.plan.pinned import pinned_stack
from ckptmatrix.plan.pins.reading import read_pins
from ckptmatrix.util.did_you_mean import did_you_mean
from ckptmatrix.util.handed_over import parse_toml, read_text, understood

ALL = "*"
"""In a tier's lists: everything that there is."""

_WORKER = Path(__file__).parents[1] / "worker"
_T = TypeVar("_T")


class _StackTable(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"from_": "from"}
):
    """`[stacks.NAME]` as it is written."""

    python: str = ""
    """Python version; needed unless a file is named."""
    packages: list[str] | None = None
    """Pinned requirements; with a file, what is installed beside what every environment has, with
    versions as there."""
    constraints: list[str] = []
    """Versions of what is not asked for by name."""
    from_: str = ""
    """File whose versions are taken, relative to this one: requirements.txt, uv.lock, pylock.toml,
    or what `pip freeze` printed."""


class Tier(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`[tiers.NAME]`: which releases meet on which stacks, in which scenarios."""

    accelerate: list[str] | str
    """Releases, or one specifier such as `>=0.10` over what the index has."""
    stacks: list[str] = msgspec.field(default_factory=lambda: [ALL])
    """Names of stacks, or `*`."""
    scenarios: list[str] = msgspec.field(default_factory=lambda: [ALL])
    """Names of scenarios, or `*`; as they are read also patterns such as `zero-*`."""
    without: list[str] = msgspec.field(default_factory=list)
    """Names of scenarios that `*` does not stand for: those that have a tier of their own."""
    loaders: list[str] = msgspec.field(default_factory=lambda: ["accelerate"])
    """Names of loaders, or `*`."""
    remedies: bool = False
    """Whether the loader `ckptmatrix` and the repaired checkpoint are measured beside a plain load
    that is not exact."""
    gpu: bool = False
    """Whether it is about what a GPU changes: only loads with one at either end, or at both."""
    with_gpu: str = ""
    """Name of the tier that is measured beside it where there is a GPU; empty for none."""

    def spelt_out(self, scenarios: Iterable[str]) -> "Tier":
        """The same with the names that its patterns of scenarios stand for."""

        def names(given: list[str]) -> list[str]:
            some = [fnmatch.filter(scenarios, one) or [one] for one in given]
            return given if given == [ALL] else list(dict.fromkeys(chain.from_iterable(some)))

        spelt = {"scenarios": names(self.scenarios), "without": names(self.without)}
        return msgspec.structs.replace(self, **spelt)


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

    folder: Path | None = None
    """The project's folder, where that is not the file's."""

    def stack(self, label: str) -> Stack | None:
        """The stack of this label, on the device that the label names; None if there is none."""
        every = (stack.on(device) for stack in self.stacks.values() for device in Device)
        return next((stack for stack in every if stack.label == label), None)

    @property
    def root(self) -> Path:
        """The folder that the user's own scenarios and loaders are imported from."""
        return self.folder or self.path.parent

    def default_tier(self, quick: bool = False) -> str:
        """The tier of those who name none: `eras`, or in a file without it the first one.

        Args:
            quick: prefer `smoke` to `eras`.
        """
        if DEFAULT_TIER not in self.tiers:
            return next(iter(self.tiers))
        return QUICK_TIER if quick and QUICK_TIER in self.tiers else DEFAULT_TIER

    @property
    def releases(self) -> frozenset[str]:
        """The releases of accelerate that tiers name one by one."""
        lists = (tier.accelerate for tier in self.tiers.values())
        return frozenset(one for found in lists if not isinstance(found, str) for one in found)

    def tier(self, name: str) -> Tier:
        """The tier of this name.

        Raises:
            UsageError: there is none.
        """
        if name not in self.tiers:
            raise UsageError(
                f"there is no tier '{name}' in {self.path.name}",
                f"{did_you_mean(name, self.tiers)}take one of {', '.join(self.tiers)}, or add "
                f"[tiers.{name}]",
            )
        return self.tiers[name]


def shipped(kind: str, attribute: str) -> dict[str, str]:
    """Scenarios or loaders that ship with ckptmatrix, found by their files' names."""
    names = sorted(path.stem for path in (_WORKER / kind).glob("[!_]*.py"))
    return {
        name.replace("_", "-"): f"ckptmatrix.worker.{kind}.{name}:{attribute}" for name in names
    }


def read_config(path: Path, root: Path | None = None) -> Config:
    """Read and check `matrix.toml`.

    Args:
        path: the file.
        root: the project's folder, where that is not the file's.

    Raises:
        UsageError: it is not there, is no TOML, or says something that cannot be meant.
    """
    with understood(str(path), "correct it; docs/matrix-toml.md has every key"):
        return _read(path, root)


def _read(path: Path, root: Path | None) -> Config:
    try:
        text = read_text(path)
        tables = parse_toml(text)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}",
            "run in the folder that has a matrix.toml, name one with --config, or write one with "
            "`ckptmatrix init`",
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

    config = replace(_convert(path.resolve(), tables, wrong), folder=root)
    _check_stacks(config, wrong)
    _check_tiers(config, wrong)
    tiers = {name: tier.spelt_out(config.scenarios) for name, tier in config.tiers.items()}
    return replace(config, tiers=tiers)


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

    def stack(name: str, table: _StackTable) -> Stack:
        packages, constraints = tuple(table.packages or ()), tuple(table.constraints)
        if table.from_:
            try:
                pins = read_pins(path.parent / table.from_, table.from_, table.python or None)
                return pinned_stack(pins, name, packages)
            except (UsageError, InvalidRequirement) as error:
                raise wrong(str(error).partition("\n")[0], "stacks", name, "from") from None
        for key in ("python", "packages"):
            if not getattr(table, key):
                raise wrong("it is needed, or `from` with a file", "stacks", name, key)
        return Stack(name, table.python, packages, constraints=constraints)

    stacks = {name: stack(name, table) for name, table in named("stacks", _StackTable).items()}
    return Config(
        path,
        stacks,
        named("tiers", Tier),
        {**shipped("scenarios", "scenario"), **named("scenarios", str)},
        {**shipped("loaders", "load_state"), **named("loaders", str)},
    )


def _check_stacks(config: Config, wrong: _Wrong) -> None:
    for name, stack in config.stacks.items():
        for key, packages in (("packages", stack.packages), ("constraints", stack.constraints)):
            for package in packages:
                try:
                    Requirement(package)
                except InvalidRequirement:
                    raise wrong(f"'{package}' is not a requirement", "stacks", name, key) from None


def _check_tiers(config: Config, wrong: _Wrong) -> None:
    for name, tier in config.tiers.items():
        try:
            if isinstance(tier.accelerate, str):
                SpecifierSet(tier.accelerate)
            else:
                _ = [Version(release) for release in tier.accelerate]
        except (InvalidSpecifier, InvalidVersion) as error:
            raise wrong(f"{error}", "tiers", name, "accelerate") from None
        if tier.with_gpu and tier.with_gpu not in config.tiers:
            raise wrong(
                f"'{tier.with_gpu}' is no tier; there are {', '.join(config.tiers)}",
                *("tiers", name, "with_gpu"),
            )
        if tier.with_gpu and not config.tiers[tier.with_gpu].gpu:
            raise wrong(
                f"tier '{tier.with_gpu}' is not about GPUs: it needs gpu = true",
                *("tiers", name, "with_gpu"),
            )
        for kind in ("stacks", "scenarios", "loaders"):
            known = getattr(config, kind)
            for item in getattr(tier, kind):
                if item not in known and not _stands_for_some(item, kind, known):
                    raise wrong(
                        f"'{item}' is not declared; {did_you_mean(item, known)}there are "
                        f"{', '.join(known)}",
                        *("tiers", name, kind),
                    )
        for item in tier.without:
            if item not in config.scenarios and not fnmatch.filter(config.scenarios, item):
                meant = did_you_mean(item, config.scenarios).strip()
                told = "; ".join(filter(None, (f"there is no scenario '{item}'", meant)))
                raise wrong(told, "tiers", name, "without")
    for kind in ("scenarios", "loaders"):
        for name, source in getattr(config, kind).items():
            if not re.fullmatch(r"[\w.]+:\w+", source):
                raise wrong(f"'{source}' is not module:object", kind, name)


def _stands_for_some(item: str, kind: str, known: Mapping[str, object]) -> bool:
    return item == ALL or (kind == "scenarios" and bool(fnmatch.filter(known, item)))


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
