"""The seedable sampler's epoch is never saved, so the order of the samples differs."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.knowledge.releases import SeedableSampler
from ckptmatrix.model import Cause, Verdict

_UNASKED = (SeedableSampler.SEVERAL_PROCESSES, SeedableSampler.ALWAYS)
"""Given to loaders without being asked for."""


def _explains(evidence: Evidence) -> bool:
    return (
        evidence.training_differs_in("samples")
        and not evidence.named(Verdict.WRONG)
        and evidence.named(Verdict.LOST) <= {"step", "dataloader"}
        and (
            evidence.record.components.get("dataloader") != Verdict.ABSENT
            or evidence.reads.seedable_sampler in _UNASKED
            or (evidence.writes is not None and evidence.writes.seedable_sampler in _UNASKED)
        )
    )


known = KnownCause(
    CauseId.SEEDABLE_SAMPLER,
    Cause(
        "the seedable sampler starts over: samples come in another order",
        "accelerate 0.25.x always uses its seedable sampler (0.24.x under several processes, since "
        "0.26.0 by request), whose order hangs on a seed and on the epoch. Neither is saved, so "
        "after a resume the order is that of the first epoch, under the seed of the new script.",
        "Seed the script alike and call train_dataloader.set_epoch(epoch) after load_state.",
        (
            "https://github.com/huggingface/accelerate/issues/3996",
            "https://github.com/huggingface/accelerate/pull/4012",
        ),
    ),
    _explains,
    60,
)
