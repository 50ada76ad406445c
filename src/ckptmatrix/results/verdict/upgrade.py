"""The verdict on one upgrade: every number of it, once."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ckptmatrix.model import Matrix
from ckptmatrix.results.findings.detours import Detour, Verify, best_detour
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.verdict.choices import Choice, choices_of
from ckptmatrix.results.verdict.crossing import Crossing, cross


class Headline(StrEnum):
    """The answer in a word; `exit_code` of `upgrade` and `check` follows from it."""

    GO = "go"
    """Nothing gets worse."""
    GO_IF = "go-if"
    """Something does, and a measured remedy or changing fewer things keeps it from it."""
    DONT = "dont"
    """Something does, and nothing that was measured keeps it from it."""
    NOT_MEASURED = "not-measured"
    """Nothing is known of what was asked for."""

    @property
    def exit_code(self) -> int:
        """What a command ends with."""
        return {Headline.GO: 0, Headline.NOT_MEASURED: 4}.get(self, 1)


@dataclass(frozen=True)
class Upgrade:
    """Everything that a person needs to decide on one upgrade."""

    matrix: Matrix
    """The run that it is answered from."""
    scenarios: tuple[str, ...]
    """Scenarios asked for."""
    named: bool
    """Whether they were asked for by name; else they are all of the run."""
    exact: bool
    """Whether only a load that resumes whole is good enough."""
    forward: Crossing
    """Old checkpoints in the new environment."""
    back: Crossing
    """New checkpoints in the old environment, compared with staying in the new one."""
    choices: tuple[Choice, ...]
    """What could be done, all at once last; empty if nothing was measured."""
    detour: Detour | None = None
    """A way round, where nothing else makes everything good."""

    @property
    def headline(self) -> Headline:
        """The answer."""
        asked, measured = len(self.scenarios), len(self.forward.measured)
        if not measured:
            return Headline.NOT_MEASURED
        if self.choices[-1].leaves:
            return Headline.GO_IF if self.first or self.way_round else Headline.DONT
        if self.named and measured < asked:
            return Headline.NOT_MEASURED
        return Headline.GO

    @property
    def first(self) -> Choice | None:
        """What has to be done first, if all at once is not good and something else is."""
        *others, all_at_once = self.choices
        if not all_at_once.leaves:
            return None
        return next((choice for choice in others if choice.helps), None)

    @property
    def way_round(self) -> bool:
        """Whether a way round was run for real, and makes good what all at once does not."""
        found = self.detour
        return bool(
            found and found.verified and set(self.choices[-1].leaves) <= set(found.scenarios)
        )


def judge(
    index: LoadIndex,
    old: str,
    new: str,
    scenarios: Sequence[str] = (),
    *,
    exact: bool = False,
    verify: Verify | None = None,
) -> Upgrade:
    """Judge the upgrade from one environment to another.

    Args:
        index: a finished run.
        old: id of the environment that has the checkpoints.
        new: id of the environment that shall load them.
        scenarios: which to judge; none means all of the run. Of those that are named, each has to
            be measured for a `GO`.
        exact: ask for more than no worse than staying: everything resumes whole.
        verify: makes the hops of a way round for real; without it one is only pieced together.
    """
    asked = tuple(scenarios) or index.scenarios
    forward = cross(index, old, new, asked)
    choices = choices_of(index, forward, exact) if forward.measured else ()
    detour = None
    if choices and not any(choice.helps for choice in choices):
        detour = best_detour(index, old, new, choices[-1].leaves, verify)
    return Upgrade(
        matrix=index.matrix,
        scenarios=asked,
        named=bool(scenarios),
        exact=exact,
        forward=forward,
        back=cross(index, new, old, asked),
        choices=choices,
        detour=detour,
    )
