"""What loading a checkpoint comes to by what is in it, for the causes of `explain`."""

from ckptmatrix.checkpoint.explain.weighing import Known
from ckptmatrix.checkpoint.inspect.facts import Facts
from ckptmatrix.checkpoint.inspect.outlook import NUMPY_STARTS, TORCH_STARTS
from ckptmatrix.checkpoint.inspect.prediction import predictions
from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.knowledge.releases import ACCELERATE
from ckptmatrix.model import Status


def predicted_causes(facts: Facts, known: Known, *, raised: bool) -> frozenset[CauseId | None]:
    """Predict the load in the environments that the versions allow.

    Args:
        facts: what was read of the checkpoint.
        known: package -> versions it can be; a package that is missing can be anything.
        raised: whether the load raised; then only environments count in which it does so, or
            never returns until something ends it.

    Returns:
        Causes of the predictions; None stands for a load that restores everything.
    """
    wanted = (Status.FAILED, Status.TIMEOUT) if raised else (Status.EXACT, Status.DEGRADED)
    outcomes = (
        outcome
        for release in known.get("accelerate") or tuple(map(str, ACCELERATE.starts))
        for torch in known.get("torch", TORCH_STARTS)
        for numpy in known.get("numpy", NUMPY_STARTS)
        for outcome in predictions(facts, release, torch, numpy).values()
    )
    return frozenset(one.cause or None for one in outcomes if one.status in wanted)
