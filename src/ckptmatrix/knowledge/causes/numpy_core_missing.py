"""What numpy 2 pickled, read by a numpy that has no `numpy._core`."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    missing = ("ModuleNotFoundError", "No module named 'numpy._core'")
    return evidence.raised(*missing) or evidence.swallowed(*missing)


known = KnownCause(
    CauseId.NUMPY_CORE_MISSING,
    Cause(
        "the reader's numpy has no numpy._core",
        "numpy 2 pickles its arrays under numpy._core. numpy 1.26 has a stub of that name, older "
        "ones have nothing. In random_states_N.pkl the failure is caught and logged at INFO, and "
        "the random states stay what they were; in an object of one's own the load raises.",
        "Upgrade numpy to 1.26 or newer; or run `ckptmatrix repair`, which writes the random "
        "states without numpy.",
        ("https://github.com/numpy/numpy/issues/28340",),
    ),
    _explains,
    28,
)
