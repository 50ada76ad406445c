"""The verdict on an upgrade as Markdown, for `matrix.md` and pull requests."""

from collections.abc import Iterator

from ckptmatrix.results.report.changes import escape
from ckptmatrix.results.verdict import sentences
from ckptmatrix.results.verdict.choices import Choice
from ckptmatrix.results.verdict.upgrade import Headline, Upgrade

_MARKS = {Headline.GO: "✓", Headline.GO_IF: "≠", Headline.DONT: "✗", Headline.NOT_MEASURED: "?"}


def upgrade_markdown(upgrade: Upgrade) -> Iterator[str]:
    """Give the verdict as lines of GitHub's Markdown: headline, details, choices, way back."""
    told = escape(sentences.headline(upgrade))
    yield f"{_MARKS[upgrade.headline]} **{told}** {escape(sentences.ends(upgrade))}"
    yield ""
    for label, text in sentences.details(upgrade):
        yield f"- {label}: {escape(text)}"
    if upgrade.detour is not None:
        yield f"- a way round: {escape(sentences.detour_text(upgrade.matrix, upgrade.detour))}"
    for reason, names in sentences.not_measured(upgrade.forward).items():
        yield f"- not measured: {escape(f'{sentences.named(names)}: {reason}')}"
    yield f"- the way back: {escape(sentences.way_back(upgrade))}"
    yield ""
    shown = upgrade.choices[:-1] if upgrade.headline is Headline.GO else upgrade.choices
    if shown:
        yield "| what to do (pick one) | measured for this | worse than staying, of all trainings |"
        yield "|---|---|---|"
        yield from map(_row, shown)
        yield ""


def _row(choice: Choice) -> str:
    title = f"**{escape(choice.title)}**" if choice.helps else escape(choice.title)
    first = f"{title}<br><code>{escape(choice.copy)}</code>"
    rest = (escape(sentences.outcome(choice)), escape(sentences.worse_of(choice)))
    return f"| {' | '.join((first, *rest))} |"
