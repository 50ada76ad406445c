"""What could be done instead of changing everything at once, each as it was measured."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ckptmatrix.model import Environment, EnvironmentStatus, Treatment
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.findings.views import TODAY, View
from ckptmatrix.results.verdict.crossing import Crossing, cross
from ckptmatrix.results.verdict.keeping import install_line, keep_title, keepings

ALL_AT_ONCE = "All at once, nothing else done"
"""Title of the choice that everything else is compared with."""


class ChoiceKind(StrEnum):
    """What is done otherwise."""

    KEEP = "keep"
    """Fewer things are changed."""
    REMEDY = "remedy"
    """Everything is changed, and the checkpoint is repaired or loaded in another way."""
    ALL_AT_ONCE = "all-at-once"
    """Everything is changed, and nothing else is done."""


@dataclass(frozen=True)
class Choice:
    """One thing to do."""

    kind: ChoiceKind
    """What is done otherwise."""
    title: str
    """It in a few words."""
    copy: str
    """The command or line to copy."""
    kept: tuple[str, ...]
    """`accelerate`, or factors of the stack that stay as they are."""
    chosen: Crossing
    """What it makes of the scenarios asked for."""
    everything: Crossing
    """What it makes of every scenario of the run."""

    leaves: tuple[str, ...]
    """Scenarios asked for that all at once measures, and that this does not make good: they are
    worse than without the change (or not whole, where only that will do), or not measured."""

    @property
    def helps(self) -> bool:
        """Whether everything that was asked for is good then."""
        return not self.leaves


def choices_of(index: LoadIndex, direct: Crossing, exact: bool = False) -> tuple[Choice, ...]:
    """List what is better for the scenarios asked for than all at once, which comes last.

    Args:
        index: the run.
        direct: everything changed at once, over the scenarios asked for.
        exact: whether only a load that resumes whole is good enough.

    Returns:
        First what keeps the fewest things, then other ways to load, then all at once.
    """
    make = _Maker(index, direct, exact)
    all_at_once = make.choice(ChoiceKind.ALL_AT_ONCE, ALL_AT_ONCE, direct.reader)
    keeping = [one for one in _keeping(make) if len(one.leaves) < len(all_at_once.leaves)]
    least = [one for one in keeping if not any(_is_less(other, one) for other in keeping)]
    remedies = [one for one in _remedies(make) if _badness(one) < _badness(all_at_once)]
    return (
        *sorted(least, key=lambda one: (len(one.leaves), len(one.kept))),
        *sorted(remedies, key=_by_badness),
        all_at_once,
    )


def _is_less(one: Choice, other: Choice) -> bool:
    """Whether one choice does as much for fewer things kept."""
    return set(one.kept) < set(other.kept) and len(one.leaves) <= len(other.leaves)


def _badness(choice: Choice) -> tuple[int, int]:
    return len(choice.leaves), len(choice.chosen.measured) - len(choice.chosen.exact)


def _by_badness(choice: Choice) -> tuple[int, int, bool]:
    # Of two that do the same, the one that leaves the script as it is.
    return *_badness(choice), choice.chosen.view.loader != TODAY.loader


@dataclass(frozen=True)
class _Maker:
    """Makes the choices of one question."""

    index: LoadIndex
    direct: Crossing
    exact: bool

    def choice(
        self,
        kind: ChoiceKind,
        title: str,
        reader: str,
        view: View = TODAY,
        copy: str = "",
        kept: tuple[str, ...] = (),
    ) -> Choice:
        old, every = self.direct.writer, self.index.scenarios
        asked = tuple(one.scenario for one in self.direct.judged)
        chosen = cross(self.index, old, reader, asked, view)
        everything = chosen if asked == every else cross(self.index, old, reader, every, view)
        good = set(chosen.exact if self.exact else chosen.no_worse)
        return Choice(
            kind,
            title,
            copy or install_line(self.index.matrix.environments[reader]),
            kept,
            chosen,
            everything,
            tuple(one.scenario for one in self.direct.measured if one.scenario not in good),
        )


def _keeping(make: _Maker) -> Iterator[Choice]:
    records, direct = make.index.matrix.environments, make.direct
    old, new = records[direct.writer], records[direct.reader]
    changes = old.accelerate != new.accelerate
    for keeping in keepings(make.index.versions, old.stack, new.stack, changes):
        release = old.accelerate if keeping.release else new.accelerate
        id_ = Environment(release, keeping.stack).id
        there = id_ in records and records[id_].status is EnvironmentStatus.READY
        if there and id_ not in (direct.writer, direct.reader):
            title = keep_title(keeping, old.accelerate)
            yield make.choice(ChoiceKind.KEEP, title, id_, kept=keeping.factors)


def _remedies(make: _Maker) -> Iterator[Choice]:
    for view in make.index.views:
        if view != TODAY:
            way = way_of(view)
            yield make.choice(ChoiceKind.REMEDY, way.title, make.direct.reader, view, way.copy)


@dataclass(frozen=True)
class Way:
    """What another way to load asks of a person."""

    title: str
    """What to do."""
    copy: str = ""
    """The command or line for it."""


def way_of(view: View) -> Way:
    """Say what a way to load asks for; of a loader of one's own, its name."""
    return _WAYS.get(view, Way(view.title))


_RESUME = "from ckptmatrix.resume import load_state; load_state(accelerator, DIRECTORY)"
_REPAIR = "ckptmatrix repair DIRECTORY REPAIRED"
_WAYS = {
    View("accelerate", Treatment.REPAIRED): Way("Repair the checkpoint once", _REPAIR),
    View("ckptmatrix", Treatment.AS_SAVED): Way("Load with ckptmatrix.resume", _RESUME),
    View("ckptmatrix", Treatment.REPAIRED): Way(
        "Repair the checkpoint once, and load it with ckptmatrix.resume",
        _REPAIR,
    ),
}
"""Way to load -> what to do, and the command or line for it."""
