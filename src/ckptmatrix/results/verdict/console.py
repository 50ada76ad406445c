"""The verdict as lines of text, the answer first."""

from collections.abc import Iterator

from ckptmatrix.results.verdict import sentences
from ckptmatrix.results.verdict.choices import Choice
from ckptmatrix.results.verdict.resolving import Question
from ckptmatrix.results.verdict.upgrade import Headline, Upgrade
from ckptmatrix.util.wrapping import labelled


def lines(upgrade: Upgrade, question: Question | None = None) -> Iterator[str]:
    """Give the whole verdict.

    Args:
        upgrade: the verdict.
        question: what was asked for, where versions stand for others.
    """
    yield sentences.headline(upgrade)
    forward = upgrade.forward
    asked = f", {sentences.named(upgrade.scenarios)}" if upgrade.named else ""
    yield labelled("", f"{sentences.ends(upgrade)}{asked}", width=0, indent=1)
    yield labelled("", sentences.loss(upgrade), width=0, indent=1)
    for note in question.notes if question else ():
        yield labelled("asked for", note)
    if question and question.approximate:
        yield labelled("to measure it", question.measure)
    for label, text in sentences.details(upgrade):
        yield labelled(label, text)
    yield from _choices(upgrade)
    if upgrade.detour is not None:
        yield labelled("a way round", sentences.detour_text(upgrade.matrix, upgrade.detour))
    for reason, names in sentences.not_measured(forward).items():
        yield labelled("not measured", f"{sentences.named(names)}: {reason}")
    yield labelled("the way back", sentences.way_back(upgrade))


def _choices(upgrade: Upgrade) -> Iterator[str]:
    choices = upgrade.choices
    if upgrade.headline is Headline.GO:
        # Nothing has to be done; what is not whole today either may still be made so.
        choices, title = choices[:-1], "What makes more of it whole"
    else:
        title = "What to do (pick one)"
    if choices:
        yield title
    for choice in choices:
        yield from _choice(choice)


def _choice(choice: Choice) -> Iterator[str]:
    yield f"  {'+' if choice.helps else '-'} {choice.title}: {sentences.outcome(choice)}"
    worse = sentences.worse_of(choice)
    yield labelled("", f"worse than staying, of all trainings: {worse}", indent=3, width=0)
    yield f"    {choice.copy}"
