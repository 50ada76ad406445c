"""The seedable sampler's epoch is never saved, so the order of the samples differs."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.knowledge.releases import Release, SeedableSampler
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
            or _given(evidence.reads)
            or (evidence.writes is not None and _given(evidence.writes))
        )
    )


def _given(release: Release) -> bool:
    return release.seedable_sampler in _UNASKED


known = KnownCause(
    CauseId.SEEDABLE_SAMPLER,
    Cause(
        "the seedable sampler's place is not saved: samples come in another order",
        "accelerate 0.25.x always uses its seedable sampler (0.24.x under several processes, since "
        "0.26.0 by request), whose order hangs on a seed and on the epoch. Neither is saved, so "
        "after a resume the order is that of the first epoch, under the seed of the new script. "
        "Between a release that uses it and one that shuffles by torch's generator, neither has "
        "what the other's order hangs on.",
        "Seed the script alike and call train_dataloader.set_epoch(epoch) after load_state. From "
        "0.25.x to 0.26.0 and newer, or back, the order can't be kept: upgrade between two "
        "epochs, and take the next one in another order for good.",
        (
            "https://github.com/huggingface/accelerate/pull/2110",
            "https://github.com/huggingface/accelerate/pull/2319",
            "https://github.com/huggingface/accelerate/issues/3996",
            "https://github.com/huggingface/accelerate/pull/4012",
        ),
    ),
    _explains,
    60,
)
