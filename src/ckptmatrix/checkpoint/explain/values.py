"""Diagnoses as a value for `--json`."""

from typing import Any

import msgspec

from ckptmatrix.checkpoint.explain.answers import Answer, Diagnosis


def as_json(found: tuple[Diagnosis, ...]) -> dict[str, Any]:
    """A value for JSON; `known` says whether the first diagnosis, which the exit code is of, is."""
    return {
        "known": found[0].answer is Answer.KNOWN,
        "diagnoses": [_one(one) for one in found],
    }


def _one(one: Diagnosis) -> dict[str, Any]:
    mode = one.mode
    return {
        "mode": one.modes[0] if one.modes else None,
        "title": one.title if mode else None,
        "explanation": mode.explanation if mode else None,
        "links": mode.links if mode else [],
        "remedy": one.remedy,
        "command": one.command,
        "located": msgspec.to_builtins(one.origin.located),
        "releases": list(one.releases),
        **msgspec.to_builtins(one),
    }
