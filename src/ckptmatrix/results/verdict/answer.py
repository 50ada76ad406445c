"""The verdict as JSON: what `upgrade --json` prints."""

from collections.abc import Mapping
from typing import Any

from ckptmatrix.model import EnvironmentRecord
from ckptmatrix.results.verdict import sentences
from ckptmatrix.results.verdict.choices import Choice
from ckptmatrix.results.verdict.crossing import Crossing
from ckptmatrix.results.verdict.losses import fates_of
from ckptmatrix.results.verdict.resolving import Question
from ckptmatrix.results.verdict.staying import Against
from ckptmatrix.results.verdict.upgrade import Upgrade


def answer(upgrade: Upgrade, source: str, question: Question | None = None) -> dict[str, Any]:
    """Give everything that the text says, and every scenario by name.

    Args:
        upgrade: the verdict.
        source: in words, which run it is answered from.
        question: what was asked for, where versions stand for others.
    """
    return {
        "answer": upgrade.headline,
        "exit_code": upgrade.headline.exit_code,
        "headline": sentences.headline(upgrade),
        "asked": question
        and {
            "from": {"typed": question.old.asked.line, "notes": question.old.notes},
            "to": {"typed": question.new.asked.line, "notes": question.new.notes},
            "measure": question.measure,
        },
        "required": "exact" if upgrade.exact else "no-worse",
        "from": _environment(upgrade, upgrade.forward.writer),
        "to": _environment(upgrade, upgrade.forward.reader),
        "scenarios": upgrade.scenarios,
        "forward": _crossing(upgrade.forward),
        "choices": [_choice(choice) for choice in upgrade.choices],
        "way_round": upgrade.detour
        and {
            "stops": upgrade.detour.stops,
            "scenarios": upgrade.detour.scenarios,
            "verified": upgrade.detour.verified,
            "detail": upgrade.detour.detail,
            "text": sentences.detour_text(upgrade.matrix, upgrade.detour),
        },
        "back": {**_crossing(upgrade.back), "text": sentences.way_back(upgrade)},
        "causes": {
            id_: {"title": cause.title, "remedy": cause.remedy, "scenarios": where}
            for id_, where in upgrade.forward.causes.items()
            if (cause := upgrade.matrix.causes.get(id_))
        },
        "run": {"finished": upgrade.matrix.run.finished, "device": upgrade.matrix.run.device},
        "source": source,
    }


def _environment(upgrade: Upgrade, id_: str) -> dict[str, str]:
    record: EnvironmentRecord = upgrade.matrix.environments[id_]
    names = ("accelerate", "stack", "python", "torch", "numpy", "safetensors")
    return {"id": id_, **{name: getattr(record, name) for name in names}}


def _crossing(crossing: Crossing) -> dict[str, Any]:
    """Give the scenarios of each kind, what is lost by severity, and what raises."""
    kinds: Mapping[str, tuple[str, ...]] = {kind: crossing.of(kind) for kind in Against}
    return {
        **{kind: names for kind, names in kinds.items() if kind != Against.NOT_MEASURED},
        "exact": crossing.exact,
        "not_measured": {
            one.scenario: one.why_not_measured for one in crossing.judged if one.why_not_measured
        },
        "groups": [
            {
                "group": fate.severity,
                "scenarios": fate.of,
                "back_in": fate.back,
                "newly_lost": fate.newly_lost,
                "never_saved": fate.unsaved,
            }
            for fate in fates_of(crossing)
        ],
        "raises": {one.scenario: one.raised for one in crossing.measured if one.raised},
        "differs_afterwards": [one.scenario for one in crossing.measured if one.drifts],
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "kind": choice.kind,
        "title": choice.title,
        "copy": choice.copy,
        "helps": choice.helps,
        "environment": choice.chosen.reader,
        "loader": choice.chosen.view.loader,
        "treatment": choice.chosen.view.treatment,
        "kept": choice.kept,
        "leaves": choice.leaves,
        "exact": choice.chosen.exact,
        "all_scenarios": {
            "worse": choice.everything.worse,
            "measured": len(choice.everything.measured),
        },
    }
