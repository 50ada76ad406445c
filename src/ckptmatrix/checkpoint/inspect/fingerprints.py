"""Which class a saved optimizer or scheduler may have; `fingerprints.toml` is the data."""

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

PlainValues = dict[str, bool | int | float | str | None]


class Fingerprint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the state of one class, or of a few alike, always holds."""

    classes: list[str]
    """The classes, most likely first."""
    groups: list[str] = []
    """Keys that a parameter group has."""
    state: list[str] = []
    """Keys that the state of one parameter has."""
    keys: list[str] = []
    """Keys that the state of a scheduler has."""
    without: list[str] = []
    """Keys that the group has not."""
    without_state: list[str] = []
    """Keys that the state of one parameter has not."""
    equal: dict[str, bool | int | float | str] = {}
    """Keys of the group with this value."""

    @property
    def demands(self) -> int:
        """How much it asks for; the most demanding one that fits is the best guess."""
        return sum(map(len, (self.groups, self.state, self.keys, self.without, self.equal)))


@cache
def _table() -> dict[str, list[Fingerprint]]:
    text = files(__package__).joinpath("fingerprints.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, list[Fingerprint]])


def _best(fitting: list[Fingerprint]) -> tuple[str, ...]:
    most = max((print_.demands for print_ in fitting), default=0)
    return tuple(name for found in fitting if found.demands == most for name in found.classes)


def guess_optimizer(
    group: PlainValues, group_keys: tuple[str, ...], state_keys: tuple[str, ...]
) -> tuple[str, ...]:
    """Classes whose first parameter group and first state look like this; empty if none does."""
    return _best(
        [
            print_
            for print_ in _table()["optimizer"]
            if set(print_.groups) <= set(group_keys)
            and not set(print_.without) & set(group_keys)
            and set(print_.state) <= set(state_keys)
            and not set(print_.without_state) & set(state_keys)
            and all(group.get(key) == value for key, value in print_.equal.items())
        ]
    )


def guess_scheduler(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Classes whose state has these keys; empty if none is known."""
    return _best([print_ for print_ in _table()["scheduler"] if set(print_.keys) <= set(keys)])
