"""The committed sample as the tests of the verdict ask it, and what it says.

Everything that depends on which run that is stands here. A sample measured anew moves these names
and figures, and no test.
"""

from functools import cache

from ckptmatrix.model import Environment
from ckptmatrix.results.findings.axis import axis_of
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.matrix_file.reading import read_matrix
from tests.support.places import SAMPLE


@cache
def index() -> LoadIndex:
    """The sample, read once."""
    return LoadIndex(read_matrix(SAMPLE))


@cache
def stacks() -> tuple[str, str, str]:
    """Old torch with numpy 1, new torch with numpy 1, new torch with numpy 2."""
    old, middle, new = axis_of(index().matrix).stacks
    return old, middle, new


def id_(release: str, stack: int) -> str:
    """Id of an environment; the stack by its place in `stacks`."""
    return Environment(release, stacks()[stack]).id


COMMON = ("1.14.0", "1.15.0")
"""The commonest upgrade, on the newest stack."""
COMMON_MEASURED = 45
COMMON_BETTER = ("mid-epoch-set-epoch",)
COMMON_NOT_MEASURED = 4
COMMON_NOT_WHOLE_BEFORE = 19

FOUNDING = ("0.33.0", "1.15.0")
"""The founding case, from the oldest stack to the newest one."""
FOUNDING_SCENARIO = "kohya-lora"
FOUNDING_MEASURED = 43
FOUNDING_WORSE = 32
FOUNDING_WORSE_WITH_NUMPY_KEPT = ("numpy-lr", "scheduler-numpy")
