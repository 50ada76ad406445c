"""One load compared with staying."""

import pytest

from ckptmatrix.model import CellRecord, Verdict
from ckptmatrix.results.verdict.staying import Against, against
from tests.support.cells import cell

EXACT = cell()
LOST = cell(status="degraded", lost=("step",), cause="numpy-major")
MORE = cell(status="degraded", lost=("step", "rng.numpy"), cause="numpy-major")
ELSE = cell(status="degraded", lost=("rng.numpy",), cause="numpy-major")
OTHER_CAUSE = cell(status="degraded", lost=("step",), cause="scheduler-counts")
RAISED = cell(status="failed", lost=("model",), error="KeyError: 'step'", cause="refused-step")
DIED = cell(status="crashed", cause="refused-step")
UNKNOWN = cell(status="not-run")


@pytest.mark.parametrize(
    ("stay", "now", "expected"),
    [
        (EXACT, EXACT, Against.SAME),
        (EXACT, LOST, Against.WORSE),
        (EXACT, RAISED, Against.WORSE),
        (LOST, RAISED, Against.WORSE),
        (LOST, EXACT, Against.BETTER),
        (RAISED, LOST, Against.BETTER),
        (LOST, MORE, Against.WORSE),
        (MORE, LOST, Against.BETTER),
        # Something is lost that was not lost before, whatever came back in its place.
        (LOST, ELSE, Against.WORSE),
        (LOST, OTHER_CAUSE, Against.OTHER),
        (LOST, LOST, Against.SAME),
        # What a load left behind that raised is not lost in silence, so there is nothing to lose.
        (DIED, RAISED, Against.SAME),
        (EXACT, UNKNOWN, Against.NOT_MEASURED),
        (EXACT, None, Against.NOT_MEASURED),
        (UNKNOWN, LOST, Against.NOT_MEASURED),
        (UNKNOWN, EXACT, Against.SAME),
    ],
)
def test_a_load_is_worse_better_other_or_the_same(
    stay: CellRecord, now: CellRecord | None, expected: Against
) -> None:
    assert against(stay, now) is expected


def test_wrong_is_lost_as_well() -> None:
    wrong = cell(status="degraded", lost=("step",), cause="numpy-major")
    wrong.components["step"] = Verdict.WRONG
    assert against(LOST, wrong) is Against.SAME
