"""Environments for a run: built side by side, with progress, and refused where there is none."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ckptmatrix.environments.building import build_all
from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import NothingRanError
from ckptmatrix.model import Environment
from ckptmatrix.util.progress import progress


def install(
    environments: Iterable[Environment],
    site: Site,
    jobs: int,
    pins: Mapping[Environment, tuple[str, ...]] | None = None,
    cache: Path | None = None,
) -> dict[Environment, Installation]:
    """Build, or reuse, environments, and show how far it is.

    Args:
        environments: what to build.
        site: where.
        jobs: how many at a time.
        pins: what to install of all that is not asked for by name, `name==version`.
        cache: where uv keeps what it downloads; None for its usual place.
    """
    needed = tuple(environments)
    with progress("environments", len(needed)) as advance:
        return build_all(needed, site, lambda one: advance(one.environment.id), jobs, pins, cache)


def refuse_none(built: Mapping[Environment, Installation]) -> None:
    """Refuse to go on without any environment.

    Raises:
        NothingRanError: none could be built.
    """
    if not any(one.ready for one in built.values()):
        record = next(iter(built.values())).record
        reason = record.reason
        if record.gpu:
            raise NothingRanError(
                f"no environment can use the GPU: {reason}",
                "take --device cpu, or declare a stack in matrix.toml whose torch fits the machine",
            )
        raise NothingRanError(
            f"no environment could be built: {reason}",
            "settle that, or name a release that the index has; else check the network",
        )
