"""torch's default refuses numpy's globals and accelerate swallows it."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.swallowed("UnpicklingError", "core.multiarray")


known = KnownCause(
    CauseId.NUMPY_REFUSED,
    Cause(
        "torch refuses the random states: random states and step lost silently",
        "torch 2.6 and newer unpickle with weights_only=True unless asked otherwise and refuse the "
        "numpy array in random_states_N.pkl. accelerate 0.14.0-0.31.0 and 0.34.0-1.0.1 do not say "
        "otherwise, catch the refusal and log it at INFO: Python's, numpy's and torch's random "
        "states and accelerator.step stay what they were.",
        "Upgrade the reader to accelerate 1.1.0 or newer with the same numpy major version; or "
        "load with ckptmatrix.resume.load_state; or run `ckptmatrix repair`; or set "
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 (for files that you trust).",
        (
            "https://github.com/huggingface/accelerate/issues/4283",
            "https://github.com/pytorch/pytorch/pull/137602",
        ),
    ),
    _explains,
    40,
)
