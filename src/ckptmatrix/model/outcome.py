"""What was measured for a cell."""

from dataclasses import dataclass, field

from ckptmatrix.model.words import Status, Treatment, Verdict


@dataclass(frozen=True)
class Difference:
    """Where a component first differs."""

    where: str
    """Path of the leaf inside the component, such as `0/state/1/exp_avg`."""
    saved: str
    """What was saved there, shortened."""
    found: str
    """What is there after the load, shortened."""
    differing: int = 1
    """How many leaves of the component differ."""
    compared: int = 1
    """How many leaves of the component were compared."""


@dataclass(frozen=True)
class FirstDifference:
    """The first thing that differs in the training after the load."""

    step: int
    """Step after the load, from 1."""
    quantity: str
    """What differs first: `samples`, `loss`, `lr`, `rng.numpy`, ..."""
    expected: str
    """Value in the reference run of the reader's own environment."""
    found: str
    """Value after this load."""


@dataclass(frozen=True)
class Resume:
    """How training went on after the load."""

    exact: bool
    """True if every recorded quantity of every step equals the reference."""
    first_difference: FirstDifference | None = None
    """None when exact."""
    steps: int = 0
    """How many steps were compared; one process alone stops at the first that differs."""


@dataclass(frozen=True)
class ErrorRecord:
    """An exception, as the user would have seen it, or as it was swallowed."""

    type: str
    """Class name, such as `KeyError` or `_pickle.UnpicklingError`."""
    message: str
    """Its text, shortened."""
    traceback: str = ""
    """Its last frames."""
    rank: int = 0
    """The process that it was raised in; 0 is the main one."""


@dataclass(frozen=True)
class CellRecord:
    """The outcome of one cell."""

    writer: str
    """Id of the writing environment."""
    reader: str
    """Id of the reading environment."""
    scenario: str
    """Name of the scenario."""
    loader: str
    """Name of the loader."""
    treatment: Treatment
    """What was done to the checkpoint before the load."""
    status: Status
    """What was measured."""
    components: dict[str, Verdict] = field(default_factory=dict)
    """Verdict for each component; empty if the load did not return."""
    resume: Resume | None = None
    """How training went on; None if the load did not return, or there was no training (`try`)."""
    error: ErrorRecord | None = None
    """What the load raised."""
    cause: str | None = None
    """Id in `Matrix.causes`; None for `exact` and for what fits no known cause."""
    reason: str = ""
    """For `unsupported` and `not-run`: why."""
    expected: bool | None = None
    """True if an expectation covers it (or it is exact and none speaks against); None if not
    measured."""
    expectation: str = ""
    """The reason recorded with the expectation, or what the mismatch is."""
    seconds: float = 0.0
    """Wall-clock seconds of the measurement."""
    swallowed: tuple[ErrorRecord, ...] = ()
    """Exceptions that the load caught and only logged."""
    differences: dict[str, Difference] = field(default_factory=dict)
    """Component -> first difference, for what is lost, wrong or unsaved."""
    measured: str = ""
    """When it was measured, ISO 8601 in UTC."""


def summary(record: CellRecord) -> str:
    """What happened, in one line; expectations are matched against it."""
    if record.error:
        first = record.error.message.strip().splitlines()
        return f"{record.error.type}: {first[0] if first else ''}"
    if record.reason:
        return record.reason
    parts = [
        f"{verdict} {', '.join(names)}"
        for verdict in (Verdict.LOST, Verdict.WRONG, Verdict.UNSAVED)
        if (names := [n for n, found in record.components.items() if found == verdict])
    ]
    first_difference = record.resume and record.resume.first_difference
    if first_difference:
        parts.append(f"training differs in {first_difference.quantity}")
    return "; ".join(parts) or "everything restored"
