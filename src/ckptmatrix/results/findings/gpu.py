"""What a GPU, or none that can be used, makes of a run: to be read before anything else in it."""

from ckptmatrix.model import EnvironmentRecord, Matrix
from ckptmatrix.worker.words import STAND_IN_GPU


def gpu_notes(matrix: Matrix) -> tuple[str, ...]:
    """Sentences about the GPU that nobody may miss; none on the CPU."""
    notes = []
    if STAND_IN_GPU in matrix.run.device_name.split("; "):  # of several machines after a merge
        notes.append(
            "Run on a CUDA stand-in, which computes nothing: no outcome here is a measurement."
        )
    unusable: dict[tuple[str, str], list[EnvironmentRecord]] = {}
    for record in matrix.environments.values():
        if record.gpu:
            unusable.setdefault((record.stack, record.reason), []).append(record)
    for (stack, reason), records in unusable.items():
        of_stack = sum(one.stack == stack for one in matrix.environments.values())
        releases = ", ".join(one.accelerate for one in records)
        which = "" if len(records) == of_stack else f" with accelerate {releases}"
        notes.append(f"Stack {stack}{which} cannot use the GPU, so it was not measured: {reason}.")
    return tuple(notes)
