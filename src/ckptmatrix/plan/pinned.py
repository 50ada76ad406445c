"""From pins to an environment of the matrix: a release of accelerate, and a stack. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ckptmatrix.errors import UsageError
from ckptmatrix.model import Device, Environment, Stack
from ckptmatrix.plan.pins.pins import Extent, Pins, joined, requirement

ACCELERATE = "accelerate"
CORE = ("torch", "numpy", "safetensors")
"""What every environment has beside accelerate, whether it is asked for or not."""
_ALSO = ("torchdata",)
"""What scenarios use where it is there."""
_OF_A_BUILD = ("nvidia-", "cuda-", "triton", "pytorch-triton")
"""Beginnings of names that one build of torch comes with, and another has other versions of."""
_INSTALLERS = frozenset({"pip", "setuptools", "wheel", "uv"})


@dataclass(frozen=True)
class PinnedEnvironment:
    """What is to be built from pins."""

    environment: Environment
    """The release, and the name of the stack."""
    stack: Stack
    """Everything else."""
    pins: Pins
    """What it is made from, with what uv chose."""
    by_uv: tuple[str, ...]
    """Packages whose version the pins leave to uv."""

    def on(self, device: Device) -> "PinnedEnvironment":
        """The same on a device."""
        stack = self.stack.on(device)
        environment = Environment(self.environment.accelerate, stack.label)
        return replace(self, environment=environment, stack=stack)

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the pins is not installed, or not as it is written, one clause each."""
        builds = (_build_of(one) for one in (*self.pins.asked.values(), *self.pins.kept.values()))
        return (*self.pins.left_out, *dict.fromkeys(filter(None, builds)))


def to_resolve(pins: Pins) -> tuple[Requirement, ...]:
    """What uv has to be asked about, so that every environment has one version of each of `CORE`.

    Returns:
        Everything that is said, and `CORE`; empty if accelerate and each of `CORE` is pinned.

    Raises:
        UsageError: the pins do not name accelerate, or are all of an environment without torch.
    """
    if pins.of(ACCELERATE) is None:
        raise UsageError(
            f"{pins.source} names no accelerate{_apart_from(pins, ACCELERATE)}",
            "name a release in it, such as accelerate==1.15.0, or give what is really installed: "
            "a lock file, or the output of pip freeze",
        )
    if pins.extent is Extent.WHOLE and pins.of("torch") is None:
        raise UsageError(
            f"{pins.source} has accelerate and no torch{_apart_from(pins, 'torch')}",
            "give what torch is installed from as well, such as the output of pip freeze",
        )
    core = {name: pins.of(name) or requirement(name) for name in (ACCELERATE, *CORE)}
    if all(map(version_of, core.values())):
        return ()
    every = {**pins.together, **core}
    return tuple(_public(one) for name, one in every.items() if not _follows(name))


def pinned_environment(
    pins: Pins, found: Mapping[str, str], everything: bool = False
) -> PinnedEnvironment:
    """The environment that pins describe.

    Args:
        pins: what is said.
        found: package -> the version that uv found for it, of what has to be resolved.
        everything: install all that is asked for, since a script of one's own may import it;
            else what accelerate and the shipped scenarios need, and the rest only where one of
            those needs it.
    """
    exact = {name: v for name, one in pins.together.items() if (v := version_of(one))}
    versions = {**found, **exact}
    chosen = {n: requirement(n, f"=={v}") for n, v in found.items() if n not in exact}
    resolved = replace(pins, kept={**pins.kept, **chosen})
    stack = pinned_stack(resolved, _named(versions), pins.asked if everything else ())
    open_ = tuple(name for name in (ACCELERATE, *CORE) if name not in exact)
    return PinnedEnvironment(Environment(versions[ACCELERATE], stack.name), stack, resolved, open_)


def pinned_stack(pins: Pins, name: str, packages: Iterable[str] = ()) -> Stack:
    """The stack that pins describe; accelerate is no part of it.

    Args:
        pins: what is said.
        name: its name.
        packages: requirements of what is installed beside what every environment has, without a
            version where the pins have it.
    """
    asked = {name: pins.of(name) or requirement(name) for name in CORE}
    asked |= {name: one for name in _ALSO if (one := pins.of(name))}
    for text in packages:
        one = Requirement(text)
        key = str(canonicalize_name(one.name))
        if not _is_apart(key):
            asked[key] = joined(one, pins.of(key))
    rest = {n: one for n, one in pins.together.items() if n not in asked and not _is_apart(n)}
    return Stack(
        name,
        pins.python,
        tuple(str(_public(asked[key])) for key in sorted(asked)),
        constraints=tuple(
            f"{key}{_public(rest[key]).specifier}" for key in sorted(rest) if rest[key].specifier
        ),
    )


def told_apart(
    old: PinnedEnvironment, new: PinnedEnvironment
) -> tuple[PinnedEnvironment, PinnedEnvironment]:
    """The same two, the stacks under different names if they are different ones."""
    if old.stack.name != new.stack.name or old.stack == new.stack:
        return old, new
    return _renamed(old, "old"), _renamed(new, "new")


def completed(new: Pins, old: Pins) -> Pins:
    """Pins that name what changes, with everything else as it was; others as they are."""
    if new.extent is not Extent.CHANGES:
        return new
    asked = {name: requirement(one.name, extras=one.extras) for name, one in old.asked.items()}
    same = {name: one for name in (ACCELERATE, *CORE, *_ALSO) if (one := old.of(name))}
    return replace(new, asked={**asked, **same, **new.asked}, left_out=old.left_out)


def version_of(one: Requirement) -> str:
    """The version that a requirement pins, without its build (`2.4.1` of `2.4.1+cu121`); or ""."""
    pins = [part for part in one.specifier if part.operator in ("==", "===")]
    if len(pins) != 1 or pins[0].version.endswith("*"):
        return ""
    try:
        return Version(pins[0].version).public
    except InvalidVersion:
        return ""


def _public(one: Requirement) -> Requirement:
    """Without the build: another index has another, of the same version."""
    version = version_of(one)
    return requirement(one.name, f"=={version}", one.extras) if version else one


def _build_of(one: Requirement) -> str:
    parts = (part.version for part in one.specifier if "+" in part.version)
    build = next(parts, "")
    said = f"the build of {one.name} {build}: {version_of(one)} as the index has it"
    return said if build else ""


def _apart_from(pins: Pins, name: str) -> str:
    """Whether there is one that is no release on an index."""
    return next((f" but {one}" for one in pins.left_out if one.endswith(f" of {name}")), "")


def _is_apart(name: str) -> bool:
    """Whether it is no part of the stack, or follows from another part of it."""
    return name == ACCELERATE or _follows(name)


def _follows(name: str) -> bool:
    """Whether it installs, or is chosen by the build of torch."""
    return name in _INSTALLERS or name.startswith(_OF_A_BUILD)


def _named(versions: Mapping[str, str]) -> str:
    short = {"torch": "torch", "numpy": "np"}
    parts: Iterator[str] = (f"{short[n]}{versions[n]}" for n in short if n in versions)
    return "-".join(parts) or "unpinned"


def _renamed(one: PinnedEnvironment, word: str) -> PinnedEnvironment:
    return replace(one, stack=replace(one.stack, name=f"{one.stack.name}-{word}")).on(
        one.stack.device
    )
