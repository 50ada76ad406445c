"""How numpy's pickles spell the module that makes their arrays and scalars."""

from enum import StrEnum


class NumpyCore(StrEnum):
    """The name of numpy's core."""

    NUMPY_1 = "numpy.core"
    NUMPY_2 = "numpy._core"

    @property
    def multiarray(self) -> str:
        """The module of the functions that make arrays and scalars."""
        return f"{self}.multiarray"


NUMPY_CORES = tuple(core.multiarray for core in NumpyCore)
"""That module, in every numpy."""
