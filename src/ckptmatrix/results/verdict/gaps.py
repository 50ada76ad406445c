"""What lies between two neighbouring versions of a package: facts of the run, and known borders.

Two versions are alike if every outcome of the run is the same with either, as writer and as
reader, nothing else changed. Where torch or numpy differ, `knowledge/releases.toml` says at which
versions between them something is known to load otherwise; for accelerate nothing is looked up.
"""

from collections.abc import Callable, Iterator, Mapping

from packaging.version import Version

from ckptmatrix.knowledge.releases import numpy_borders, torch_borders
from ckptmatrix.model import CellRecord, Environment, EnvironmentStatus
from ckptmatrix.results.findings.axis import version_key
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.findings.stacks import Factor, differing
from ckptmatrix.results.findings.tally import losses
from ckptmatrix.results.findings.views import TODAY
from ckptmatrix.results.verdict.versions import Gap, Scale

ACCELERATE = "accelerate"
"""The package that is of no stack."""
PACKAGES = (ACCELERATE, Factor.TORCH.value, Factor.NUMPY.value)
"""What a person is asked for, in this order."""

_BORDERS: Mapping[str, Callable[[], tuple[str, ...]]] = {
    Factor.TORCH: torch_borders,
    Factor.NUMPY: numpy_borders,
}

_Pairs = Iterator[tuple[str, str]]


def scale_of(index: LoadIndex, package: str) -> Scale:
    """Give the measured versions of a package.

    Args:
        index: the run; its loads are looked at when a gap is asked for.
        package: one of `PACKAGES`.
    """
    if package == ACCELERATE:
        releases = tuple(r for r in index.axis.releases if _stacks_with(index, r))

        def between_releases(number: int) -> Gap:
            older, newer = releases[number], releases[number + 1]
            eras = index.axis.era_of(older), index.axis.era_of(newer)
            return Gap(_how(index, _same_stack(index, older, newer), eras[0] != eras[1]))

        return Scale(package, releases, between_releases)

    factor = Factor(package)
    found = {held[factor] for held in index.versions.values() if factor in held}
    versions = tuple(sorted(found, key=version_key))
    borders = _BORDERS[factor]()

    def between_versions(number: int) -> Gap:
        older, newer = versions[number], versions[number + 1]
        how = _how(index, _same_release(index, factor, older, newer))
        low, high = Version(older), Version(newer)
        return Gap(how, tuple(one for one in borders if low < Version(one) <= high))

    return Scale(package, versions, between_versions, borders_up_to(borders, versions))


def borders_up_to(borders: tuple[str, ...], versions: tuple[str, ...]) -> tuple[str, ...]:
    """Select the borders at or before the oldest of some versions."""
    return tuple(b for b in borders if versions and Version(b) <= Version(versions[0]))


def _how(index: LoadIndex, pairs: _Pairs, write: bool = False) -> str:
    """Say how two versions differ over all pairs of environments that differ in them alone."""
    compared = tuple(pairs)
    if write or any(not _alike(index, *pair, as_writer=True) for pair in compared):
        return "write differently"
    if any(not _alike(index, *pair, as_writer=False) for pair in compared):
        return "load differently"
    return "" if compared else "were not compared with nothing else changed"


def _alike(index: LoadIndex, one: str, other: str, *, as_writer: bool) -> bool:
    """Whether every load that two environments wrote, or read, came out the same.

    A remedy is measured where the plain load is not exact, and of the others in a sample.
    """
    for partner in index.axis.environments:
        for view in index.views:
            here, there = (
                index.between(*((id_, partner) if as_writer else (partner, id_)), view)
                for id_ in (one, other)
            )
            if view == TODAY and here.keys() != there.keys():
                return False
            both = here.keys() & there.keys()
            if any(_behaviour(here[name]) != _behaviour(there[name]) for name in both):
                return False
    return True


def _behaviour(load: CellRecord) -> tuple[object, ...]:
    return load.status, load.cause, load.error and load.error.type, losses(load)


def _same_stack(index: LoadIndex, older: str, newer: str) -> _Pairs:
    there = _stacks_with(index, newer)
    for stack in _stacks_with(index, older):
        if stack in there:
            yield Environment(older, stack).id, Environment(newer, stack).id


def _same_release(index: LoadIndex, factor: Factor, older: str, newer: str) -> _Pairs:
    held = index.versions
    for one in index.axis.stacks:
        for other in index.axis.stacks:
            if (held[one].get(factor), held[other].get(factor)) != (older, newer):
                continue
            if differing(held, one, other) != (factor,):
                continue
            for release in index.axis.releases:
                with_it = _stacks_with(index, release)
                if one in with_it and other in with_it:
                    yield Environment(release, one).id, Environment(release, other).id


def _stacks_with(index: LoadIndex, release: str) -> tuple[str, ...]:
    """Name the stacks on which a release could be installed."""
    return tuple(
        record.stack
        for record in index.matrix.environments.values()
        if record.accelerate == release and record.status is EnvironmentStatus.READY
    )
