"""The verdict as the page and as the command give it, in one form to be compared."""

from typing import Any

from ckptmatrix.results.verdict import sentences
from ckptmatrix.results.verdict.upgrade import Upgrade

JUDGE = "(asked) => asked.map(([old, next, names]) => window.ckptmatrix.judge(old, next, names))"
"""Asks the page: [old, new, scenarios] for each."""


def told_of(upgrade: Upgrade) -> dict[str, Any]:
    """What `window.ckptmatrix.judge` gives, by the command's code."""
    detour = upgrade.detour
    return {
        "answer": upgrade.headline,
        "headline": sentences.headline(upgrade),
        "loss": sentences.loss(upgrade),
        "details": [list(one) for one in sentences.details(upgrade)],
        "choices": [
            [one.title, one.copy, one.helps, sentences.outcome(one), sentences.worse_of(one)]
            for one in upgrade.choices
        ],
        "detour": detour and sentences.detour_text(upgrade.matrix, detour),
        "notMeasured": [
            [why, list(names)] for why, names in sentences.not_measured(upgrade.forward).items()
        ],
        "back": sentences.way_back(upgrade),
    }
