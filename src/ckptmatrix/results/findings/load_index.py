"""Every load of a run, found by its two ends and the way it was loaded."""

from collections.abc import Mapping
from functools import cached_property

from ckptmatrix.model import CellRecord, Matrix
from ckptmatrix.model.cell_table import places_of
from ckptmatrix.results.findings.axis import Axis, axis_of
from ckptmatrix.results.findings.stacks import StackVersions, stack_versions
from ckptmatrix.results.findings.tally import scenarios_of
from ckptmatrix.results.findings.views import TODAY, View, views_of

_Ends = tuple[str, str, str, str]


class LoadIndex:
    """Looks up loads of one run; made once for as many questions as are asked of it.

    Only those that are asked for are looked at: of a run that was read from a file few records are
    ever made.
    """

    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix
        self._looked_up: dict[_Ends, dict[str, CellRecord]] = {}

    def between(self, writer: str, reader: str, view: View = TODAY) -> Mapping[str, CellRecord]:
        """Give scenario -> load for two environments, by id; empty if there is none."""
        ends = (writer, reader, view.loader, view.treatment)
        if ends not in self._looked_up:
            found = self._positions.get(ends, {})
            cells = self.matrix.cells
            self._looked_up[ends] = {name: cells[position] for name, position in found.items()}
        return self._looked_up[ends]

    @cached_property
    def axis(self) -> Axis:
        """Its releases, stacks and eras in order."""
        return axis_of(self.matrix)

    @cached_property
    def scenarios(self) -> tuple[str, ...]:
        """Scenarios of the run, in its order."""
        return scenarios_of(self.matrix)

    @cached_property
    def views(self) -> tuple[View, ...]:
        """Ways to load that the run has, today's first."""
        return views_of(self.matrix)

    @cached_property
    def versions(self) -> StackVersions:
        """What the stacks hold."""
        return stack_versions(self.matrix)

    @cached_property
    def _positions(self) -> dict[_Ends, dict[str, int]]:
        found: dict[_Ends, dict[str, int]] = {}
        for position, place in enumerate(places_of(self.matrix.cells)):
            ends = (place.writer, place.reader, place.loader, place.treatment)
            found.setdefault(ends, {})[place.scenario] = position
        return found
