"""torch refuses numpy's globals, accelerate swallows it and misses `step`: the founding case."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("KeyError", "'step'") and evidence.swallowed("UnpicklingError")


known = KnownCause(
    CauseId.REFUSED_STEP,
    Cause(
        "KeyError: 'step' after torch refused the random states",
        "torch 2.6 and newer unpickle with weights_only=True unless asked otherwise and refuse the "
        "numpy array in random_states_N.pkl. accelerate 0.32.0-0.33.0 catch that, log one INFO "
        "line, and then read 'step' from what was never loaded. Model, optimizer and scheduler are "
        "loaded by then; random states, step and custom objects are not.",
        "Load with ckptmatrix.resume.load_state, or repair the checkpoint once with `ckptmatrix "
        "repair`. TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 works too (for files that you trust). Only "
        "upgrading accelerate to 0.34.0-1.0.1 makes the loss silent.",
        (
            "https://github.com/kohya-ss/sd-scripts/issues/2092",
            "https://github.com/huggingface/accelerate/pull/2992",
            "https://github.com/pytorch/pytorch/pull/137602",
        ),
    ),
    _explains,
    10,
)
