"""A process that the checkpoint has no random states for."""

import re

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Verdict

_MISSED = (Verdict.LOST, Verdict.WRONG, Verdict.UNSAVED)


def _explains(evidence: Evidence) -> bool:
    files = evidence.checkpoint.files
    missed = {
        (name.partition("@")[0], int(rank[1]))
        for name, verdict in evidence.record.components.items()
        if verdict in _MISSED and (rank := re.search(r"@(\d+)$", name))
    }
    alone = {(name, rank) for name, rank in missed if f"random_states_{rank}.pkl" not in files}
    if evidence.record.error:
        return bool(evidence.record.error.rank and alone) and evidence.raised("KeyError", "step")
    # In a release that does not restore it, step comes back in no process, file or no file.
    never = set() if evidence.reads.restores_step else {"step"}
    return bool({name for name, _ in alone} - never)


known = KnownCause(
    CauseId.RANK_STATES_MISSING,
    Cause(
        "a process has no random states in the checkpoint",
        "Each process has a random_states_N.pkl of its own, with its generators and `step`. There "
        "is none for this one: it was saved with fewer processes, or on the main process only. "
        "accelerate 0.32 and 0.33 raise KeyError: 'step' there; other releases go on with "
        "generators and step as they happen to be.",
        "Call save_state on every process, and resume with as many; else seed each process and "
        "set accelerator.step after load_state.",
        ("https://github.com/huggingface/accelerate/issues/2924",),
    ),
    _explains,
    18,
)
