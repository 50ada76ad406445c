"""What loads are judged by: read or made once in a worker, and kept for all cells that share it."""

from __future__ import annotations

from typing import TypeVar

from ckptmatrix.worker import measuring, merging
from ckptmatrix.worker.finding import find_scenario
from ckptmatrix.worker.forking import run_forked
from ckptmatrix.worker.launching import launch
from ckptmatrix.worker.measuring import Reference
from ckptmatrix.worker.neutral import Neutral
from ckptmatrix.worker.protocol import Answer, Case, NotReturned, Returned
from ckptmatrix.worker.settling import settle
from ckptmatrix.worker.words import TRIES, Device, Ending

A = TypeVar("A")

LOOK_SECONDS = 60
"""For what only looks at the machine or the release."""


class References:
    """The captured states, the references made from them, and what a release cannot do."""

    def __init__(self) -> None:
        self._truths: dict[str, Neutral] = {}
        self._made: dict[tuple[str, Device, str], Answer[list[Reference]]] = {}
        self._reasons: dict[tuple[str, Device], Answer[str]] = {}

    def cannot(self, case: Case) -> Answer[str]:
        """Why this release cannot do it; found out once for each scenario.

        On a GPU in a child: a scenario may count the GPUs, which wakes them where there is no NVML.
        """
        key = case.scenario, case.device
        if key not in self._reasons:
            reason: Answer[str] = (
                Returned(measuring.cannot(case))
                if case.device is Device.CPU
                else run_forked(lambda: measuring.cannot(case), LOOK_SECONDS)
            )
            if _killed(reason):
                return reason
            self._reasons[key] = reason
        return self._reasons[key]

    def truths(self, case: Case) -> list[Neutral]:
        """The captured state of each of the writer's processes."""
        found = []
        for rank in range(find_scenario(case.scenario).processes[0]):
            stem = merging.of_rank(case.truth, rank)
            if stem not in self._truths:
                self._truths[stem] = Neutral.load(stem)
            found.append(self._truths[stem])
        return found

    def of(self, case: Case, seconds: float) -> Answer[list[Reference]]:
        """Of each process; made once for each scenario and state, which many writers share."""
        key = case.scenario, case.device, case.digest
        if key not in self._made:
            scenario = find_scenario(case.scenario).facing(case.directory)
            truths = self.truths(case)
            settle()
            for _ in range(TRIES):
                made = launch(
                    scenario.processes[1],
                    lambda ranks: measuring.make_reference(scenario, case.device, truths, ranks),
                    seconds,
                )
                if not _killed(made):
                    self._made[key] = made
                    break
            else:
                return made
        return self._made[key]


def _killed(answer: Answer[A]) -> bool:
    """Whether it says nothing but that somebody killed a process; that is not to be kept."""
    return isinstance(answer, NotReturned) and answer.how is Ending.KILLED
