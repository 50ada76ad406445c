"""The order of a shuffled epoch that was under way is in no file."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Verdict


def _explains(evidence: Evidence) -> bool:
    paths = evidence.checkpoint.unsaved.get("dataloader", ())
    return (
        evidence.training_differs_in("samples")
        and any("order" in path for path in paths)
        and evidence.named(Verdict.LOST) <= {"step"}
    )


known = KnownCause(
    CauseId.ORDER_UNSAVED,
    Cause(
        "saved in the middle of a shuffled epoch: other samples follow",
        "The order of the samples was drawn as the epoch began and is not saved. The random "
        "states come back as they were in the middle of the epoch, so a resumed loader draws "
        "another order, and skip_first_batches skips samples that were not seen.",
        "Use the seedable sampler and call set_epoch after load_state, or the stateful "
        "dataloader; or save at the end of an epoch.",
        ("https://github.com/huggingface/accelerate/issues/2016",),
    ),
    _explains,
    45,
)
