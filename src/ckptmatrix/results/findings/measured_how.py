"""What is to be said of how scenarios could be measured, such as FSDP without a GPU."""

from ckptmatrix.model import Matrix


def measured_how(matrix: Matrix, asked: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Give each way, such as `on the CPU, FSDP's gate lifted`, with what was measured so.

    Args:
        matrix: the run.
        asked: scenarios that are asked about; all of them if there are none.
    """
    scenarios: dict[str, dict[str, None]] = {}
    for checkpoint in matrix.checkpoints:
        if checkpoint.note and checkpoint.scenario in (asked or (checkpoint.scenario,)):
            scenarios.setdefault(checkpoint.note, {})[checkpoint.scenario] = None
    return {note: tuple(names) for note, names in scenarios.items()}


def how_notes(matrix: Matrix, asked: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The same, a sentence for each way."""
    return tuple(
        f"Measured {note}: {', '.join(names)}."
        for note, names in measured_how(matrix, asked).items()
    )
