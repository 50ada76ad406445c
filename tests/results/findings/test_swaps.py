"""One factor exchanged at a time: which, and what becomes of the very same loads then."""

from ckptmatrix.model import Status
from ckptmatrix.results.findings.axis import axis_of
from ckptmatrix.results.findings.cause_areas import findings_of
from ckptmatrix.results.findings.swaps import Swap
from ckptmatrix.results.findings.tally import Tally
from tests.support import synthetic

MATRIX = synthetic.matrix()


def swaps(cause: str, readers: str) -> tuple[Swap, ...]:
    """The swaps of a cause's box, named by its readers."""
    found = {finding.id: finding for finding in findings_of(MATRIX, axis_of(MATRIX))}
    [area] = [area for area in found[cause].areas if area.readers == readers]
    return area.swaps


def becomes(**statuses: int) -> Tally:
    return Tally({Status(name): count for name, count in statuses.items()})


def test_each_side_is_swapped_on_its_own_and_only_cells_measured_on_both_sides_count() -> None:
    # 5 readers on numpy 2; 30 writers on numpy 1, of which 15 have a stack that differs in numpy
    # alone, and of those 2 releases could not be installed beside numpy 2. Readers before 1.1.0 on
    # this torch lose the random states whoever wrote them.
    assert swaps("numpy-major", "readers 1.1.1–1.15.0 on numpy 2.4.6") == (
        Swap("reader's accelerate", "1.1.1", "1.0.1", becomes(degraded=30)),
        Swap("reader's numpy", "2.4.6", "1.26.4", becomes(exact=150)),
        Swap("writer's numpy", "1.26.4", "2.4.6", becomes(exact=65)),
    )


def test_two_stacks_that_differ_in_two_factors_say_nothing() -> None:
    # 10 readers on numpy 1, half of them on the older torch, whose stack differs from the one with
    # numpy 2 in torch as well; 13 writers on numpy 2. Release 1.0.1 minds numpy on no torch, and
    # what it reads on the newer one it drops.
    assert swaps("numpy-major", "readers 1.1.1–1.15.0 on numpy 1.26.4") == (
        Swap("reader's accelerate", "1.1.1", "1.0.1", becomes(degraded=13, exact=13)),
        Swap("reader's numpy", "1.26.4", "2.4.6", becomes(exact=65)),
        Swap("writer's numpy", "2.4.6", "1.26.4", becomes(exact=130)),
    )
