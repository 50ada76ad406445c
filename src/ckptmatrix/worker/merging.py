"""What the ranks of one training answered, put together. Pure.

Rank 0's names stay as they are; those of the others carry their rank: `rng.torch@1`.
"""

from __future__ import annotations

from typing import Any


def of_rank(name: str, rank: int) -> str:
    """A component's or quantity's name in the common answer."""
    return f"{name}@{rank}" if rank else name


def only_rank(named: dict[str, Any], rank: int) -> dict[str, Any]:
    """The entries of one rank, under their plain names."""
    split = {name: name.partition("@") for name in named}
    return {
        plain: named[name]
        for name, (plain, _, owner) in split.items()
        if owner == (str(rank) if rank else "")
    }


def merge_written(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """The ranks' answers to `write`: of the files rank 0 tells, of what is not in them each."""
    refused = [answer for answer in answers if answer["status"] != "written"]
    if refused:
        return refused[0]
    return {
        **answers[0],
        "unsaved": _merge([answer["unsaved"] for answer in answers]),
        "trace": merge_traces([answer["trace"] for answer in answers]),
    }


def merge_traces(traces: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Step by step, the quantities of every rank."""
    return [_merge(list(records)) for records in zip(*traces)]


def merge_measured(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """The ranks' answers to `load`: one failure is the failure of all."""
    errors = [
        {**answer["error"], "rank": rank} for rank, answer in enumerate(answers) if answer["error"]
    ]
    swallowed = [
        {**error, "rank": rank}
        for rank, answer in enumerate(answers)
        for error in answer["swallowed"]
    ]
    verdicts = [
        {
            name: verdict
            for name, verdict in answer["components"].items()
            if not rank or verdict != "absent"
        }
        for rank, answer in enumerate(answers)
    ]
    return {
        "how": "raised" if errors else "returned",
        "components": _merge(verdicts),
        "differences": _merge([answer["differences"] for answer in answers]),
        "resume": None if errors else _merge_resumes([answer["resume"] for answer in answers]),
        "error": errors[0] if errors else None,
        "swallowed": swallowed,
        "seconds": max(answer["seconds"] for answer in answers),
    }


def _merge_resumes(resumes: list[Any]) -> Any:
    if resumes[0] is None:
        return None
    differences = [
        {**found, "quantity": of_rank(found["quantity"], rank)}
        for rank, resume in enumerate(resumes)
        if (found := resume["first_difference"])
    ]
    return {
        "exact": not differences,
        "first_difference": min(differences, key=lambda found: found["step"], default=None),
        "steps": resumes[0]["steps"],
    }


def _merge(by_rank: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        of_rank(name, rank): value
        for rank, named in enumerate(by_rank)
        for name, value in named.items()
    }
