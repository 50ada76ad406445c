"""The known failures: one TOML file each in `modes/`; adding one touches nothing else."""

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

from ckptmatrix.checkpoint.explain.words import with_versions
from ckptmatrix.knowledge.causes import CauseId


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an exception must be, or a log must hold. All that is given must fit.

    Places are written `FILE:FUNCTION` or `FILE:FUNCTION:CODE`, each part with `*` for anything;
    a file fits from any folder on (`torch/optim/*.py` is in every installation), a function's name
    fits as a whole (`load_state` is not `load_state_dict`), several are separated by `|`.
    """

    type: list[str] = []
    """Names of classes, without modules; one of them must be the exception's."""
    message: str = ""
    """Regular expression searched in the message, where every run of blanks and ends of lines is
    one blank; its named groups fill the placeholders of the mode's texts."""
    unless: str = ""
    """Regular expression that must not be found in the message."""
    raised: list[str] = []
    """Places; the exception must have been raised in one of them."""
    not_raised: list[str] = []
    """Places; it must not have been raised in any of them."""
    passes: list[str] = []
    """Places; one of the frames must be in one of them."""
    avoids: list[str] = []
    """Places; none of the frames may be in any of them."""
    hint: bool = True
    """Whether type and message alone make it worth a mention where the frames are missing."""
    log: list[str] = []
    """Instead of all these: words, one of which stands in a line of a log."""


class CauseEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One possible cause of a failure."""

    id: str
    """Its name within the mode."""
    title: str
    """The cause, one line."""
    tell: str
    """How to tell it from the others."""
    remedy: str
    """What to do, for this cause."""
    command: str = ""
    """The remedy as one line to copy: a command, or a line of the script."""
    versions: dict[str, str] = {}
    """Package -> versions with which it can happen, such as `>=2.6`."""
    certain: bool = False
    """Whether these versions alone decide: with them it happens whatever the checkpoint holds."""
    signs: list[str] = []
    """Regular expressions; one found in the message, or else in the text, shows this cause."""
    predicted: list[CauseId] = []
    """Causes of `inspect.prediction` that are this one."""
    predicts_exact: bool = False
    """Whether it is this one where the prediction is that nothing is lost."""
    ranks: str = ""
    """`others` if it strikes processes other than the first only."""


class Mode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One known failure."""

    title: str
    """What happens, one line."""
    explanation: str
    """What it means and what is already loaded by then."""
    match: list[Match]
    """How it is recognised; one of them must fit."""
    cause: list[CauseEntry]
    """Why it happens; the most frequent first."""
    links: list[str] = []
    """Upstream issues, pull requests and pages."""
    defaults: dict[str, str] = {}
    """Placeholder -> what stands for it where the message does not say."""
    covers: list[str] = []
    """Modes of log lines that say nothing more once this one is known."""
    harmless: bool = False
    """Whether it is noise, which comes after everything else."""


@cache
def catalogue() -> dict[str, Mode]:
    """Every mode by id, the name of its file; versions stand in its texts as numbers."""
    folder = files(__package__).joinpath("modes")
    return {
        entry.name.removesuffix(".toml"): msgspec.convert(
            tomllib.loads(with_versions(entry.read_text("utf-8"))), Mode
        )
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    }
