"""The allow list of accelerate 1.1 and newer knows only the reader's spelling of numpy's module."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return (
        evidence.swallowed("UnpicklingError", "core.multiarray")
        and evidence.numpy_cores_differ
        and evidence.reads.asks_weights_only
    )


known = KnownCause(
    CauseId.NUMPY_MAJOR,
    Cause(
        "numpy 1 and numpy 2 on the two sides: random states and step lost silently",
        "random_states_N.pkl names numpy.core (numpy 1) or numpy._core (numpy 2). accelerate 1.1.0 "
        "and newer let torch unpickle only what is on their allow list, which has the reader's own "
        "spelling alone. The refusal is caught and logged at INFO: Python's, numpy's and torch's "
        "random states and accelerator.step stay what they were.",
        "Keep numpy's major version between save and resume; or load with "
        "ckptmatrix.resume.load_state; or run `ckptmatrix repair`, which writes the random states "
        "without numpy.",
        (
            "https://github.com/pytorch/pytorch/issues/142144",
            "https://github.com/huggingface/accelerate/pull/3036",
        ),
    ),
    _explains,
    30,
)
