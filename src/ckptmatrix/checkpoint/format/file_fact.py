"""What is known of one file of a directory, and how far it was read."""

from dataclasses import dataclass, field
from enum import StrEnum

from ckptmatrix.checkpoint.format.safety import Rating


class Reading(StrEnum):
    """How far a file was read; three kinds of not being read are told apart."""

    READ = "read"
    """What describes its content, to the end."""
    UNREAD = "unread"
    """Not to its end, and another program may see what was not seen: dangerous."""
    DAMAGED = "damaged"
    """No program can make anything of it."""
    ABSENT = "absent"
    """A link that leads nowhere, or out of the checkpoint."""
    NOT_OPENED = "not opened"
    """Nothing that a load of a checkpoint reads, by name and by beginning."""


@dataclass(frozen=True)
class FileFact:
    """One file."""

    name: str
    """Path below the directory, with `/`."""
    bytes: int
    """Its size, as the file system gives it."""
    problem: str = ""
    """What is wrong with it, one clause (`is truncated (...)`); empty if nothing was seen."""
    globals: dict[str, Rating] = field(default_factory=dict)
    """Each name that its pickle would import -> how dangerous it is."""
    keys: tuple[str, ...] = ()
    """Top-level keys of its pickle or JSON object."""
    container: frozenset[str] = frozenset()
    """Descriptive records of a torch zip: `byteorder`, `.format_version`, ..."""
    old: bool = False
    """Whether it is in torch's format from before 1.6."""
    strides: bool = False
    """Whether it is a `.metadata` that describes tensors with their strides."""
    modified: float = 0.0
    """When it was written, in seconds since 1970."""
    reading: Reading = Reading.READ
    """How far it was read."""
    raises: str = ""
    """How the exception begins that loading it raises, where it is damaged and that is known."""

    @property
    def dangerous(self) -> bool:
        """Whether loading it may run what nobody has looked at."""
        return self.reading is Reading.UNREAD or Rating.DANGEROUS in self.globals.values()
