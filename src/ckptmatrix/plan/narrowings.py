"""What narrows a tier: one table, from which commands and the plugin have options.

Every run of pytest where ckptmatrix is installed imports this, so it imports next to nothing.
"""

from dataclasses import dataclass

DEFAULT_TIER = "eras"
"""The tier of every command where it is declared."""
QUICK_TIER = "smoke"
"""The pytest plugin's, where both are."""


@dataclass(frozen=True)
class Narrowing:
    """A part of a tier that can be replaced by names."""

    option: str
    """What it is called where one is given: `--stack`, `--matrix-stack`."""
    field: str
    """The field of `Selection` that holds it."""
    help: str
    """What `--help` says of it."""


NARROWINGS = (
    Narrowing("accelerate", "accelerate", "Releases instead of the tier's, such as 0.33.0,1.15.0."),
    Narrowing("stack", "stacks", "Names of stacks instead of the tier's."),
    Narrowing("scenario", "scenarios", "Names of scenarios instead of the tier's."),
    Narrowing("loader", "loaders", "Names of loaders instead of the tier's."),
)
