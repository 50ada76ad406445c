"""What the ranks of one training answered, put together. Pure.

Rank 0's names stay as they are; those of the others carry their rank: `rng.torch@1`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from ckptmatrix.worker.measured import Measured, Resume, Step, Trace
from ckptmatrix.worker.protocol import Saved, WriteAnswer
from ckptmatrix.worker.words import Verdict

V = TypeVar("V")


def of_rank(name: str, rank: int) -> str:
    """A component's or quantity's name in the common answer."""
    return f"{name}@{rank}" if rank else name


def only_rank(named: Mapping[str, V], rank: int) -> dict[str, V]:
    """The entries of one rank, under their plain names."""
    split = {name: name.partition("@") for name in named}
    return {
        plain: named[name]
        for name, (plain, _, owner) in split.items()
        if owner == (str(rank) if rank else "")
    }


def merge_written(answers: Sequence[WriteAnswer]) -> WriteAnswer:
    """The ranks' answers to `Write`: of the files rank 0 tells, of what is not in them each."""
    saved = [answer for answer in answers if isinstance(answer, Saved)]
    if len(saved) < len(answers):
        return next(answer for answer in answers if not isinstance(answer, Saved))
    return replace(
        saved[0],
        unsaved=_merge(answer.unsaved for answer in saved),
        trace=merge_traces([answer.trace for answer in saved]),
    )


def merge_traces(traces: Sequence[Sequence[Step]]) -> Trace:
    """Step by step, the quantities of every rank."""
    return tuple(_merge(records) for records in zip(*traces))


def merge_measured(answers: Sequence[Measured]) -> Measured:
    """The ranks' answers to a load: one failure is the failure of all."""
    errors = [
        replace(answer.error, rank=rank) for rank, answer in enumerate(answers) if answer.error
    ]
    swallowed = tuple(
        replace(error, rank=rank)
        for rank, answer in enumerate(answers)
        for error in answer.swallowed
    )
    verdicts = [
        {
            name: verdict
            for name, verdict in answer.components.items()
            if not rank or verdict is not Verdict.ABSENT
        }
        for rank, answer in enumerate(answers)
    ]
    return Measured(
        components=_merge(verdicts),
        differences=_merge(answer.differences for answer in answers),
        resume=None if errors else _merge_resumes([answer.resume for answer in answers]),
        error=errors[0] if errors else None,
        swallowed=swallowed,
        seconds=max(answer.seconds for answer in answers),
    )


def _merge_resumes(of_ranks: Sequence[Resume | None]) -> Resume | None:
    """The earliest difference of any; either all ranks trained on or none."""
    resumes = [resume for resume in of_ranks if resume]
    if not resumes:
        return None
    differences = [
        replace(found, quantity=of_rank(found.quantity, rank))
        for rank, resume in enumerate(resumes)
        if (found := resume.first_difference)
    ]
    return Resume(
        exact=not differences,
        first_difference=min(differences, key=lambda found: found.step, default=None),
        steps=resumes[0].steps,
    )


def _merge(by_rank: Iterable[Mapping[str, V]]) -> dict[str, V]:
    return {
        of_rank(name, rank): value
        for rank, named in enumerate(by_rank)
        for name, value in named.items()
    }
