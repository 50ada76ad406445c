"""What is said of one failure: a diagnosis, as data."""

from dataclasses import dataclass
from enum import StrEnum

from ckptmatrix.checkpoint.explain.catalogue import Mode, catalogue
from ckptmatrix.checkpoint.explain.echoes import Echo
from ckptmatrix.checkpoint.explain.failures import Failure
from ckptmatrix.checkpoint.explain.origin import Origin
from ckptmatrix.checkpoint.explain.phases import Whereabouts
from ckptmatrix.checkpoint.explain.weighing import Known, Likelihood, Weighed
from ckptmatrix.checkpoint.explain.words import filled


class Answer(StrEnum):
    """What can be said of a failure."""

    KNOWN = "known"
    """It is a known one, and at least one of its causes can be the case."""
    EXCLUDED = "excluded"
    """It looks like a known one, but every cause of that is ruled out."""
    UNDECIDED = "undecided"
    """Its message fits known ones, but the text does not show where it was raised."""
    ECHO = "echo"
    """It only reports another exception, which is not in the text."""
    UNKNOWN = "unknown"
    """It is none of the known ones."""


@dataclass(frozen=True)
class Diagnosis:
    """What one chain of exceptions, or one line of a log, means."""

    answer: Answer
    """What can be said of it."""
    failure: Failure | None
    """The exception that tells most; None if only a line of the log tells."""
    chain: tuple[Failure, ...]
    """The whole chain that it belongs to, the exception that was raised first before the others."""
    line: str
    """The line of the log; empty for an exception."""
    origin: Origin
    """What its frames say of accelerate's release."""
    modes: tuple[str, ...]
    """Ids of the known failures that it fits; empty if there is none."""
    candidates: tuple[str, ...]
    """Ids of those that it would fit if it was raised where they are."""
    causes: tuple[Weighed, ...]
    """Causes of the first of the modes, their texts filled in, the likeliest first."""
    known: Known
    """Package -> the versions that it can be, by the text, by its frames, or as given."""
    whereabouts: Whereabouts | None = None
    """What was going on, where the frames show it."""
    echo: Echo | None = None
    """What the exception says of another one, if that is all it does."""
    ranks: tuple[int, ...] = ()
    """Processes that report it."""
    looked: bool = False
    """Whether the checkpoint itself was looked at."""
    directory: str = "DIR"
    """The checkpoint's directory as an argument of a command, if it is known."""
    carried: tuple[tuple[str, str], ...] = ()
    """Placeholder -> what the message says for it."""

    @property
    def mode(self) -> Mode | None:
        """The known failure; None if it is none."""
        return catalogue()[self.modes[0]] if self.modes else None

    @property
    def releases(self) -> tuple[str, ...]:
        """Releases of accelerate that its frames can be of, oldest first; empty if not known."""
        return self.origin.releases

    @property
    def title(self) -> str:
        """The known failure in one line, with what the message says; empty if it is none."""
        return filled(self.mode.title, dict(self.carried), self.mode.defaults) if self.mode else ""

    @property
    def command(self) -> str:
        """The command or line of code that comes next; empty if there is no single one."""
        if self.decided is not None:
            return self.decided.cause.command
        if self.whereabouts is not None and self.answer is not Answer.KNOWN:
            return filled(self.whereabouts.command, {"dir": self.directory}, {})
        return ""

    @property
    def asked(self) -> str:
        """Options of the command that would tell the causes apart; empty if none would."""
        still = [one.cause for one in self.causes if one.verdict is Likelihood.POSSIBLE]
        packages = {name for cause in still for name in cause.versions}
        pins = " ".join(f"{name}==..." for name in sorted(packages) if name not in self.known)
        inside = "--checkpoint DIR" if any(c.predicted for c in still) and not self.looked else ""
        return " ".join(filter(None, (inside, f"--with '{pins}'" if pins else "")))

    @property
    def decided(self) -> Weighed | None:
        """The cause, if there is only one left."""
        shown = [one for one in self.causes if one.verdict is Likelihood.SHOWN]
        possible = [one for one in self.causes if one.verdict is Likelihood.POSSIBLE]
        left = shown or possible
        return left[0] if len(left) == 1 else None

    @property
    def remedy(self) -> str:
        """The remedy for this case, if the causes are narrowed down to one; else empty."""
        return self.decided.cause.remedy if self.decided else ""
