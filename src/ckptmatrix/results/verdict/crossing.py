"""Checkpoints of one environment in another, each scenario compared with staying."""

from collections.abc import Sequence
from dataclasses import dataclass

from ckptmatrix.model import CellRecord, Status, Verdict
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.findings.views import TODAY, View
from ckptmatrix.results.verdict.staying import Against, against, is_measured, lost_in_silence
from ckptmatrix.util.terminal_text import plain


@dataclass(frozen=True)
class Judged:
    """One scenario."""

    scenario: str
    """Its name."""
    against: Against
    """How it fares, against staying."""
    stay: CellRecord | None
    """Loaded where it was saved."""
    now: CellRecord | None
    """Loaded where it shall go."""

    @property
    def exact(self) -> bool:
        """Whether it resumes whole."""
        return self.now is not None and self.now.status is Status.EXACT

    @property
    def lost(self) -> tuple[str, ...]:
        """Components that are lost without an error."""
        return tuple(sorted(lost_in_silence(self.now))) if is_measured(self.now) else ()

    @property
    def newly_lost(self) -> tuple[str, ...]:
        """Those of them that staying keeps, where the scenario is worse for it."""
        if self.against is not Against.WORSE or not is_measured(self.stay):
            return ()
        before = lost_in_silence(self.stay)
        return tuple(name for name in self.lost if name not in before)

    @property
    def components(self) -> tuple[str, ...]:
        """What the checkpoint holds, as far as one of the two loads returned and showed it."""
        nothing = (Verdict.ABSENT, Verdict.UNSAVED)
        return tuple(name for name, found in self._shown.items() if found not in nothing)

    @property
    def unsaved(self) -> tuple[str, ...]:
        """Components that the training has and the checkpoint never held, or not all of it."""
        return tuple(name for name, found in self._shown.items() if found is Verdict.UNSAVED)

    @property
    def restored(self) -> tuple[str, ...]:
        """Components that came back."""
        if not is_measured(self.now) or self.raised:
            return ()
        return tuple(n for n, found in self.now.components.items() if found is Verdict.RESTORED)

    @property
    def drifts(self) -> bool:
        """Whether nothing is lost, and the training that follows still differs."""
        return self.now is not None and self.now.status is Status.DEGRADED and not self.lost

    @property
    def raised(self) -> str:
        """How the load failed, in one line; empty if it returned."""
        load = self.now
        if load is None or load.status not in (Status.FAILED, Status.CRASHED, Status.TIMEOUT):
            return ""
        if load.error is not None and load.status is Status.FAILED:
            said = f"{load.error.type}: {load.error.message}".partition("\n")[0]
            return plain(said).rstrip()
        return str(load.status)

    @property
    def why_not_measured(self) -> str:
        """Why nothing can be said; empty if something can."""
        if self.against is not Against.NOT_MEASURED:
            return ""
        if not is_measured(self.now):
            return _why(self.now)
        return f"staying was not measured ({_why(self.stay)})"

    @property
    def _shown(self) -> dict[str, Verdict]:
        return {**_components(self.stay), **_components(self.now)}


@dataclass(frozen=True)
class Crossing:
    """Checkpoints of one environment loaded in another by one way, over all scenarios asked for."""

    writer: str
    """Id of the writing environment."""
    reader: str
    """Id of the reading environment."""
    view: View
    """Loader and treatment."""
    judged: tuple[Judged, ...]
    """Every scenario, in the order asked for."""

    def of(self, *kinds: Against) -> tuple[str, ...]:
        """Name the scenarios that fare so."""
        return tuple(one.scenario for one in self.judged if one.against in kinds)

    @property
    def worse(self) -> tuple[str, ...]:
        """Scenarios that the change makes worse."""
        return self.of(Against.WORSE)

    @property
    def no_worse(self) -> tuple[str, ...]:
        """Scenarios that were measured, and that the change does not make worse."""
        return self.of(Against.BETTER, Against.OTHER, Against.SAME)

    @property
    def measured(self) -> tuple[Judged, ...]:
        """Scenarios of which something is known."""
        return tuple(one for one in self.judged if one.against is not Against.NOT_MEASURED)

    @property
    def exact(self) -> tuple[str, ...]:
        """Scenarios that resume whole."""
        return tuple(one.scenario for one in self.measured if one.exact)

    @property
    def as_before(self) -> tuple[str, ...]:
        """Scenarios that do not resume whole, and are no worse than without the change."""
        return tuple(
            one.scenario
            for one in self.measured
            if not one.exact and one.against is not Against.WORSE
        )

    @property
    def causes(self) -> dict[str, tuple[str, ...]]:
        """Cause id -> the scenarios that it makes worse."""
        found: dict[str, tuple[str, ...]] = {}
        for one in self.judged:
            if one.against is Against.WORSE and one.now is not None and one.now.cause:
                found[one.now.cause] = (*found.get(one.now.cause, ()), one.scenario)
        return found


def cross(
    index: LoadIndex, writer: str, reader: str, scenarios: Sequence[str], view: View = TODAY
) -> Crossing:
    """Compare every scenario with staying, for one writer and one reader.

    Args:
        index: the run.
        writer: id of the environment that saved.
        reader: id of the environment that loads.
        scenarios: which to compare.
        view: how it loads. What is not measured in this way, because the plain load is exact
            already or because the way does not apply, is as the plain load leaves it.
    """
    stays = index.between(writer, writer)
    plain_loads = index.between(writer, reader)
    loads = index.between(writer, reader, view)
    judged = []
    for name in scenarios:
        stay, now = stays.get(name), loads.get(name)
        if not is_measured(now):
            now = plain_loads.get(name)
        judged.append(Judged(name, against(stay, now), stay, now))
    return Crossing(writer, reader, view, tuple(judged))


def _components(load: CellRecord | None) -> dict[str, Verdict]:
    return load.components if is_measured(load) else {}


def _why(load: CellRecord | None) -> str:
    return f"{load.status}: {load.reason}".rstrip(".") if load else "not in this run"
