"""Which release of accelerate the frames of a traceback come from, if they agree."""

from dataclasses import dataclass
from functools import cache

from ckptmatrix.checkpoint.explain import lines
from ckptmatrix.checkpoint.explain.frames import Frame
from ckptmatrix.checkpoint.explain.lines import By


@dataclass(frozen=True)
class Located:
    """A frame inside accelerate with the releases that have it."""

    frame: Frame
    """The frame."""
    match: lines.LineMatch
    """What the index says."""


@dataclass(frozen=True)
class Origin:
    """What the frames of one exception say of accelerate's release."""

    located: tuple[Located, ...] = ()
    """Frames inside accelerate, outermost first."""
    releases: tuple[str, ...] = ()
    """Releases that fit every frame of the files that were not edited, oldest first; empty if no
    frame tells, or if they contradict each other."""
    edited: tuple[str, ...] = ()
    """Files with a frame that no release has."""
    contradictory: bool = False
    """Whether each frame fits some release, but no release fits all."""


def origin_of(frames: tuple[Frame, ...]) -> Origin:
    """Look every frame inside accelerate up.

    Frames of a file that was edited say nothing: what was added there moved its lines.
    """
    located = tuple(
        Located(frame, match) for frame in frames if (match := _match(frame)) is not None
    )
    edited = {_file(item) for item in located if item.match.by is By.NONE}
    sets = [set(item.match.releases) for item in located if _file(item) not in edited]
    common = set.intersection(*sets) if sets else set()
    order = lines.load_index().releases if common else []
    return Origin(
        located,
        tuple(sorted(common, key=order.index)),
        tuple(sorted(edited)),
        contradictory=bool(sets) and not common,
    )


@cache
def _match(frame: Frame) -> lines.LineMatch | None:
    return lines.match(frame)


def _file(item: Located) -> str:
    return lines.indexed_path(item.frame.path, lines.load_index()) or ""
