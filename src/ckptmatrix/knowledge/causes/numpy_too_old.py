"""The allow list of accelerate 1.1 and newer needs a class that numpy has since 1.25."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.knowledge.releases import NUMPY
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return (
        evidence.swallowed("UnpicklingError", "numpy.dtype[uint32]")
        and evidence.reads.asks_weights_only
        and bool(evidence.reader.numpy)
        and not NUMPY.at(evidence.reader.numpy).dtype_classes
    )


known = KnownCause(
    CauseId.NUMPY_TOO_OLD,
    Cause(
        "numpy before 1.25: random states and step lost silently",
        "accelerate 1.1.0 and newer let torch unpickle only what is on their allow list. The class "
        "of the dtype of numpy's random state is on it with numpy 1.25 and newer alone. The "
        "refusal is caught and logged at INFO: Python's, numpy's and torch's random states and "
        "accelerator.step stay what they were.",
        "Upgrade numpy to 1.25 or newer, the major version kept; or load with "
        "ckptmatrix.resume.load_state; or run `ckptmatrix repair`.",
        ("https://github.com/huggingface/accelerate/pull/3433",),
    ),
    _explains,
    29,
)
