"""Which environments of a run stand for what a person asks about.

The page has the same in `typed.js`, held equal by a test.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ckptmatrix.errors import NotMeasuredError, UsageError
from ckptmatrix.model import Environment, EnvironmentStatus
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.findings.newest import PLAIN
from ckptmatrix.results.findings.stacks import Factor
from ckptmatrix.results.findings.tally import Rank, rank
from ckptmatrix.results.verdict.asked import Asked
from ckptmatrix.results.verdict.gaps import ACCELERATE, scale_of
from ckptmatrix.results.verdict.staying import is_measured
from ckptmatrix.results.verdict.versions import Place, place
from ckptmatrix.util.did_you_mean import did_you_mean

STACK_PACKAGES = (Factor.TORCH.value, Factor.NUMPY.value)
"""Packages that tell stacks apart."""


@dataclass(frozen=True)
class Side:
    """One side of the question, and what stands for it."""

    asked: Asked
    """As it was asked."""
    places: Mapping[str, Place]
    """Package that was named -> where its version stands."""
    environment: str = ""
    """Id of the environment that stands for it; empty if none does."""
    why: tuple[str, ...] = ()
    """Why none does, in sentences."""
    remedy: str = ""
    """What else there is, where it cannot be measured either."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the versions: `torch 2.6: not measured; nearest 2.13.0, ...`."""
        named = dict(self.asked)
        return tuple(f"{name} {named[name]}: {p.said}" for name, p in self.places.items() if p.said)


@dataclass(frozen=True)
class Question:
    """Both sides of an upgrade."""

    old: Side
    """What wrote the checkpoints."""
    new: Side
    """What shall load them."""
    measure: str
    """The command that measures exactly what was asked."""

    @property
    def ends(self) -> tuple[str, str]:
        """Ids of the two environments."""
        return self.old.environment, self.new.environment

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the versions of both."""
        return tuple(dict.fromkeys((*self.old.notes, *self.new.notes)))

    @property
    def remedy(self) -> str:
        """What else there is, where it cannot be measured either."""
        return self.old.remedy or self.new.remedy

    @property
    def approximate(self) -> bool:
        """Whether a version stands for one that was not measured."""
        places = (*self.old.places.values(), *self.new.places.values())
        return not all(one.measured for one in places)

    @property
    def why(self) -> tuple[str, ...]:
        """Why nothing stands for them; empty if something does."""
        return tuple(dict.fromkeys((*self.old.why, *self.new.why)))


def check_names(index: LoadIndex, stacks: Iterable[str], scenarios: Iterable[str]) -> None:
    """Refuse names that a run does not have, before any of its loads is looked at.

    Args:
        index: the run; its cells are not touched.
        stacks: names of stacks.
        scenarios: names of scenarios.

    Raises:
        UsageError: there is no such stack or scenario.
    """
    for name in stacks:
        _known("stack", name, index.axis.stacks)
    written = index.matrix.checkpoints
    known = tuple(dict.fromkeys(checkpoint.scenario for checkpoint in written))
    for name in scenarios:
        _known("scenario", name, known)


def environments_of(index: LoadIndex, old: Asked, new: Asked) -> Question:
    """Find the two environments of an upgrade.

    Args:
        index: the run.
        old: what wrote the checkpoints.
        new: what shall load them.

    Returns:
        Both sides, each with its environment.

    Raises:
        NotMeasuredError: nothing that was measured stands for one of them.
    """
    question = question_of(index, old, new)
    if question.why:
        releases = ", ".join(scale_of(index, ACCELERATE).versions)
        measure = f"measure it with `{question.measure}`; tested are {releases}"
        raise NotMeasuredError("; ".join(question.why), question.remedy or measure)
    return question


def question_of(index: LoadIndex, old: Asked, new: Asked) -> Question:
    """The same, with the reason where nothing stands for a side."""
    return Question(*_sides_of(index, old, new), measuring(index, old, new))


def measuring(index: LoadIndex, old: Asked, new: Asked) -> str:
    """Give the command that measures an upgrade as it was asked."""

    def line(asked: Asked) -> str:
        held = index.versions.get(asked.stack, {})
        return Asked(
            asked.accelerate,
            asked.torch or held.get(Factor.TORCH, ""),
            asked.numpy or held.get(Factor.NUMPY, ""),
        ).line

    return f'ckptmatrix check --from "{line(old)}" --to "{line(new)}"'


def _sides_of(index: LoadIndex, old: Asked, new: Asked) -> tuple[Side, Side]:
    """Find what stands for each side; of two sides that name no stack and no torch and no numpy,
    both are on the newest stack on which the old release resumes its own plain checkpoints as well
    as on any other; of one, it is on the other's."""
    before, after = _placed(index, old), _placed(index, new)
    if before.why or after.why:
        return before, after
    free_old, free_new = _is_free(old), _is_free(new)
    if free_old and free_new:
        stack = _sensible_stack(index, before, after)
        return _on(index, before, (stack,)), _on(index, after, (stack,))
    if free_old:
        after = _on(index, after, _stacks(index, after))
        return _on(index, before, _stack_of(index, after) or index.axis.newest), after
    before = _on(index, before, _stacks(index, before))
    there = _stack_of(index, before) or index.axis.newest
    return before, _on(index, after, there if free_new else _stacks(index, after))


def _placed(index: LoadIndex, asked: Asked) -> Side:
    """Find where each version stands, and whether any stack has them together."""
    places = {name: place(scale_of(index, name), version) for name, version in asked}
    side = Side(asked, places)
    lacking = tuple(f"{n} {v}: {places[n].said}" for n, v in asked if not places[n].version)
    if not lacking and not _stacks(index, side):
        lacking = (_together(index, side),)
    return replace(side, why=lacking)


def _is_free(asked: Asked) -> bool:
    return not (asked.stack or asked.torch or asked.numpy)


def _stacks(index: LoadIndex, side: Side) -> tuple[str, ...]:
    """Name the stacks that have what was asked for, the newest first."""

    def fits(stack: str) -> bool:
        held = index.versions.get(stack, {})
        named = ((name, side.places.get(name)) for name in STACK_PACKAGES)
        return all(found is None or held.get(Factor(n)) == found.version for n, found in named)

    chosen = side.asked.stack
    return tuple(s for s in index.axis.newest if (s == chosen if chosen else fits(s)))


def _together(index: LoadIndex, side: Side) -> str:
    wanted = " and ".join(f"{n} {side.places[n].version}" for n in STACK_PACKAGES)
    held = (index.versions.get(stack, {}) for stack in index.axis.stacks)
    pairs = (", ".join(f"{n} {has[Factor(n)]}" for n in STACK_PACKAGES) for has in held if has)
    return f"{wanted} were not measured together; measured are {'; '.join(dict.fromkeys(pairs))}"


def _on(index: LoadIndex, side: Side, stacks: Sequence[str]) -> Side:
    """Put a side on the stack, of these, on which its release resumes its own checkpoints best."""
    release = side.places[ACCELERATE].version
    ready = [stack for stack in stacks if _is_ready(index, Environment(release, stack).id)]
    if not ready:
        return _not_run(index, side, release, stacks[0])
    best = max(ready, key=lambda stack: quality(index, Environment(release, stack).id))
    return replace(side, environment=Environment(release, best).id)


def _sensible_stack(index: LoadIndex, old: Side, new: Side) -> str:
    """Choose the stack that somebody on the old release is on, with the new one there as well."""
    before, after = (side.places[ACCELERATE].version for side in (old, new))
    newest = index.axis.newest

    def on(releases: tuple[str, ...]) -> list[str]:
        ids = ((s, [Environment(release, s).id for release in releases]) for s in newest)
        return [s for s, each in ids if all(_is_ready(index, id_) for id_ in each)]

    both = on((before, after))
    if not both:
        # Said of the newest stack that has the old release, as good as any.
        return (on((before,)) or list(newest))[0]
    return max(both, key=lambda stack: quality(index, Environment(before, stack).id))


def quality(index: LoadIndex, id_: str) -> int:
    """Rate how an environment resumes its own plain checkpoints; higher is better."""
    stay = index.between(id_, id_).get(PLAIN)
    return -rank(stay.status) if is_measured(stay) else -len(Rank)


def _stack_of(index: LoadIndex, side: Side) -> tuple[str, ...]:
    return (index.matrix.environments[side.environment].stack,) if side.environment else ()


def _not_run(index: LoadIndex, side: Side, release: str, stack: str) -> Side:
    record = index.matrix.environments.get(Environment(release, stack).id)
    reason = record.reason.rstrip(".") if record else "this run does not have it there"
    there = [s for s in index.axis.stacks if _is_ready(index, Environment(release, s).id)]
    why = f"accelerate {release} was not run on {stack}: {reason}"
    return replace(side, why=(why,), remedy=f"it was run on {', '.join(there)}")


def _is_ready(index: LoadIndex, id_: str) -> bool:
    record = index.matrix.environments.get(id_)
    return record is not None and record.status is EnvironmentStatus.READY


def _known(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UsageError(
            f"there is no {kind} {name!r} in this run",
            f"{did_you_mean(name, known)}it has {', '.join(known)}",
        )
