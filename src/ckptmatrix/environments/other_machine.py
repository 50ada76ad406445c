"""Environments recorded elsewhere: what a checkpoint is known by, with nothing installed here.

A machine that loads checkpoints which another one wrote needs to know what the writers were, to the
last package, but never starts them. So their records travel with the checkpoints, and an
environment that only writes is taken from its record.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.model import Environment, EnvironmentRecord, EnvironmentStatus
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import digest


@dataclass(frozen=True)
class Recorded:
    """An environment as another machine had it."""

    record: EnvironmentRecord
    """What was installed there, or why it could not be."""
    device_name: str = ""
    """Name of the GPU there; empty on the CPU."""
    hardware: str = "cpu"
    """What it ran on there, as far as outcomes depend on it."""


def record_of(built: Installation) -> Recorded:
    """What to tell another machine of an environment."""
    return Recorded(built.record, built.device_name, built.hardware)


def as_built(environment: Environment, recorded: Recorded) -> Installation:
    """The environment as another machine had it: good as a writer, it cannot be started."""
    return Installation(
        environment,
        recorded.record,
        Path("nowhere"),
        device_name=recorded.device_name,
        hardware=recorded.hardware,
    )


def keep_record(environment: Environment, site: Site, recorded: Recorded) -> None:
    """Keep another machine's record of an environment."""
    write_atomically(_place(environment, site), msgspec.json.encode(recorded))


def find_record(environment: Environment, site: Site) -> Installation | None:
    """Another machine's record of an environment; None if there is none."""
    place = _place(environment, site)
    try:
        recorded = msgspec.json.decode(place.read_bytes(), type=Recorded)
    except (OSError, msgspec.DecodeError):
        return None
    return as_built(environment, recorded)


def pins(readers: Iterable[Environment], site: Site) -> dict[Environment, tuple[str, ...]]:
    """What the readers are to be installed with, so that they come out as they were elsewhere."""
    found = {reader: find_record(reader, site) for reader in readers}
    return {reader: one.record.packages for reader, one in found.items() if one and one.ready}


def refuse_others(built: Iterable[Installation], site: Site) -> None:
    """Refuse environments that were installed otherwise where the checkpoints were written.

    Raises:
        CkptmatrixError: one differs; says in what.
    """
    for here in built:
        environment = here.environment
        there = find_record(environment, site)
        difference = unlike(there.record, here.record) if there else ""
        if difference:
            raise CkptmatrixError(
                f"{environment.id} is not what it was where the checkpoints were written: "
                f"{difference}",
                f"remove {here.directory} and run again; if it comes out the same, give all "
                "machines the same Python and package index, and `ckptmatrix write` again",
            )


def unlike(one: EnvironmentRecord, other: EnvironmentRecord) -> str:
    """In what two installations differ, in a few words; empty if they are alike."""
    if one.status != other.status:
        reason = one.reason if one.status == EnvironmentStatus.UNAVAILABLE else other.reason
        return f"{one.status}, {other.status} ({reason})"
    if one.python != other.python:
        return f"Python {one.python}, {other.python}"
    return ", ".join(sorted(set(one.packages) ^ set(other.packages))[:4])


def _place(environment: Environment, site: Site) -> Path:
    stack = site.stack(environment)
    key = digest(stack.python, stack.packages, stack.constraints)
    return site.home.root / "recorded" / f"{environment.id}-{key[:8]}.json"
