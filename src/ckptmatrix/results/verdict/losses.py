"""What of the training comes back and what is lost, by severity."""

from collections.abc import Iterable
from dataclasses import dataclass

from ckptmatrix.model.severity import Severity, bases, by_severity
from ckptmatrix.results.verdict.crossing import Crossing, Judged


@dataclass(frozen=True)
class Fate:
    """What becomes of one group of components over the scenarios that were measured."""

    severity: Severity
    """The group."""
    of: tuple[str, ...]
    """Scenarios that have something of it."""
    back: tuple[str, ...]
    """Those of them in which all of it came back."""
    newly_lost: dict[str, tuple[str, ...]]
    """Component, in whichever process -> scenarios in which it is lost without an error, and is not
    without the change."""
    unsaved: tuple[str, ...]
    """Components that the checkpoint never held, or not wholly, in some scenario."""

    @property
    def hurt(self) -> tuple[str, ...]:
        """Scenarios that lose something of it by the change, without an error."""
        return tuple(dict.fromkeys(name for names in self.newly_lost.values() for name in names))


def fates_of(crossing: Crossing) -> tuple[Fate, ...]:
    """Tell the fate of each group that any scenario has, the worst to lose first.

    A load that raised brought nothing back, so its scenario counts among those that have the group
    and not among those in which it came back.
    """
    return tuple(
        _fate(severity, crossing.measured)
        for severity in Severity
        if any(
            severity in by_severity((*one.components, *one.unsaved)) for one in crossing.measured
        )
    )


def _fate(severity: Severity, judged: Iterable[Judged]) -> Fate:
    of, back, unsaved = [], [], dict[str, None]()
    lost: dict[str, tuple[str, ...]] = {}
    for one in judged:
        unsaved.update(dict.fromkeys(_bases(one.unsaved, severity)))
        members = by_severity(one.components).get(severity, ())
        if not members:
            continue
        of.append(one.scenario)
        if set(members) <= set(one.restored):
            back.append(one.scenario)
        for name in _bases(one.newly_lost, severity):
            lost[name] = (*lost.get(name, ()), one.scenario)
    return Fate(severity, tuple(of), tuple(back), lost, tuple(unsaved))


def _bases(components: Iterable[str], severity: Severity) -> tuple[str, ...]:
    return bases(by_severity(components).get(severity, ()))
