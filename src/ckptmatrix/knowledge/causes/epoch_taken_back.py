"""The epoch that a script says is taken back by the loader that skips batches."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.knowledge.releases import Release, SeedableSampler
from ckptmatrix.model import Cause, Verdict


def _explains(evidence: Evidence) -> bool:
    return (
        evidence.record.scenario == "mid-epoch-set-epoch"
        and evidence.training_differs_in("samples")
        and evidence.named(Verdict.LOST) <= {"step"}
        # 0.25's sampler adds the epochs up, so that the epochs after the next are others by it.
        and not _adds_up(evidence.reads)
        and not (evidence.writes is not None and _adds_up(evidence.writes))
    )


def _adds_up(release: Release) -> bool:
    return release.seedable_sampler is SeedableSampler.ALWAYS


known = KnownCause(
    CauseId.EPOCH_TAKEN_BACK,
    Cause(
        "skip_first_batches takes the epoch back that set_epoch had set",
        "skip_first_batches makes a new loader, which counts its epochs from 0 (before 1.15.0). "
        "Where a loader hands its epoch on to the sampler within the skipping one (from 1.7.0 "
        "on), the sampler is set to epoch 0 as the loop begins.",
        "Call set_epoch on the loader that skip_first_batches returned; or read with accelerate "
        "1.15.0 or newer.",
        (),
    ),
    _explains,
    45,
)
