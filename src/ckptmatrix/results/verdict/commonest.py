"""The upgrade that most people ask about: one release on, nothing else changed."""

from ckptmatrix.model import EnvironmentStatus
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.verdict.upgrade import Upgrade, judge


def commonest(index: LoadIndex) -> Upgrade | None:
    """Judge the step to the newest release from the one before, on the newest stack with both."""
    records = index.matrix.environments
    axis = index.axis
    ready = [id_ for id_ in axis.environments if records[id_].status is EnvironmentStatus.READY]
    for stack in axis.newest:
        own = [id_ for id_ in ready if records[id_].stack == stack]
        if len(own) > 1:
            return judge(index, own[-2], own[-1])
    return None
