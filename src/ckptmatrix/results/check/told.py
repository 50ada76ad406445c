"""What `check` says beside the verdict: what was compared, and what was measured."""

from collections.abc import Iterator
from typing import Any

from ckptmatrix.model import EnvironmentRecord
from ckptmatrix.plan.pinned import PinnedEnvironment
from ckptmatrix.results.check.checking import Checked
from ckptmatrix.results.report.changes import escape
from ckptmatrix.results.report.upgrade_markdown import upgrade_markdown
from ckptmatrix.results.verdict.answer import answer
from ckptmatrix.results.verdict.console import lines
from ckptmatrix.util.wrapping import labelled

_VERSIONS = ("accelerate", "torch", "numpy", "safetensors", "python")
_SOURCE = "this check"


def text(checked: Checked) -> Iterator[str]:
    """Give the answer as lines of text, the verdict first."""
    yield from lines(checked.upgrade)
    for label, said in _sides(checked).items():
        yield labelled(label, said)
    for label, said in _notes(checked):
        yield labelled(label, said)
    run = checked.upgrade.matrix.run
    yield labelled("measured", f"{_scenarios(checked)}; {run.finished[:10]} on {run.device}")


def markdown(checked: Checked) -> Iterator[str]:
    """Give the answer as lines of GitHub's Markdown, for a comment on a pull request."""
    yield "### Will your accelerate checkpoints still resume?"
    yield ""
    yield from upgrade_markdown(checked.upgrade)
    old, new = _records(checked)
    yield "| | before | after |"
    yield "|---|---|---|"
    for name in _VERSIONS:
        before, after = (getattr(one, name) for one in (old, new))
        mark = "**" if before != after else ""
        yield f"| {name} | {escape(before)} | {mark}{escape(after)}{mark} |"
    yield ""
    yield "<details><summary>What was measured, and from what</summary>"
    yield ""
    for label, said in (*_sides(checked).items(), *_notes(checked)):
        yield f"- {label}: {escape(said)}"
    run = checked.upgrade.matrix.run
    yield f"- measured: {escape(_scenarios(checked))}; {run.finished[:10]} on {run.device}"
    yield ""
    yield "</details>"


def as_json(checked: Checked) -> dict[str, Any]:
    """Give the answer for programs: that of `upgrade --json`, and what was compared."""
    sides = {"from": checked.question.old, "to": checked.question.new}
    return {
        **answer(checked.upgrade, _SOURCE),
        "alike": checked.alike,
        "compared": {
            label: {
                "source": side.pins.source,
                "left_out": side.notes,
                "chosen_by_uv": side.by_uv,
                "packages": record.packages,
            }
            for (label, side), record in zip(sides.items(), _records(checked), strict=True)
        },
        "why": checked.question.scenarios,
        "checkpoint": checked.question.directory and str(checked.question.directory),
    }


def _records(checked: Checked) -> tuple[EnvironmentRecord, EnvironmentRecord]:
    records, question = checked.upgrade.matrix.environments, checked.question
    return records[question.old.environment.id], records[question.new.environment.id]


def _sides(checked: Checked) -> dict[str, str]:
    question = checked.question
    sides = zip((question.old, question.new), _records(checked), strict=True)
    return dict(zip(("from", "to"), (_side(*one) for one in sides), strict=True))


def _side(side: PinnedEnvironment, record: EnvironmentRecord) -> str:
    versions = ", ".join(f"{name} {getattr(record, name)}" for name in _VERSIONS)
    return f"{side.pins.source}: {versions}"


def _notes(checked: Checked) -> Iterator[tuple[str, str]]:
    if checked.alike:
        yield "the same", "both come to the very same packages, so nothing can change"
    question = checked.question
    for label, side in (("from", question.old), ("to", question.new)):
        if side.by_uv:
            yield f"left to uv, {label}", ", ".join(side.by_uv)
        if side.notes:
            yield f"left out, {label}", "; ".join(side.notes)
    if question.directory:
        yield "loaded", f"{question.directory}, as `ckptmatrix try` loads it, as {question.label}"


def _scenarios(checked: Checked) -> str:
    """Name the scenarios, each with why it was chosen."""
    reasons: dict[str, list[str]] = {}
    for name, why in checked.question.scenarios.items():
        reasons.setdefault(why, []).append(name)
    return "; ".join(
        f"{', '.join(names)} ({why})" if why else ", ".join(names) for why, names in reasons.items()
    )
