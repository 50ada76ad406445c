"""What the scenarios are in words of the person who trains, in groups: `trainings.toml`."""

import tomllib
from collections.abc import Iterable
from importlib.resources import files

import msgspec

OTHERS = "Others"
"""Title of the group of scenarios that do not ship with ckptmatrix."""


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Scenarios that a person looks for together."""

    title: str
    """What they have in common."""
    scenarios: dict[str, str]
    """Name of a scenario -> what it is."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    groups: list[Group] = msgspec.field(name="group")


GROUPS = tuple(
    msgspec.convert(
        tomllib.loads(files(__package__).joinpath("trainings.toml").read_text("utf-8")), _Table
    ).groups
)
"""Every shipped scenario, once."""


def grouped(scenarios: Iterable[str]) -> tuple[Group, ...]:
    """Put scenarios into their groups; of one that does not ship nothing is known but its name."""
    asked = tuple(scenarios)
    found = []
    for group in GROUPS:
        held = {name: words for name, words in group.scenarios.items() if name in asked}
        found.append(Group(group.title, held))
    known = {name for group in found for name in group.scenarios}
    found.append(Group(OTHERS, {name: "" for name in asked if name not in known}))
    return tuple(group for group in found if group.scenarios)
