"""How scenarios could be measured stands in every report, and with each of their cells."""

import json
from dataclasses import replace

from ckptmatrix.results.findings.axis import axis_of
from ckptmatrix.results.findings.folds import folds_of
from ckptmatrix.results.findings.measured_how import how_notes
from ckptmatrix.results.report import html, markdown
from ckptmatrix.results.report.page import page_of
from ckptmatrix.results.report.payload import payload
from tests.support import synthetic

NOTE = "on the CPU, its gate lifted"
PLAIN = synthetic.matrix(["0.33.0", "1.15.0"])
SCENARIO = PLAIN.checkpoints[0].scenario
MATRIX = replace(
    PLAIN,
    checkpoints=tuple(
        replace(one, note=NOTE if one.scenario == SCENARIO else "") for one in PLAIN.checkpoints
    ),
)


def test_of_what_was_measured_as_it_is_nothing_is_said() -> None:
    assert how_notes(PLAIN) == ()


def test_a_way_is_said_once_with_its_scenarios() -> None:
    assert how_notes(MATRIX) == (f"Measured {NOTE}: {SCENARIO}.",)


def test_reports_say_it() -> None:
    page = page_of(MATRIX)
    for text in (html.render(page).decode(), markdown.render(page).decode()):
        assert f"Measured {NOTE}: {SCENARIO}." in text


def test_each_cell_says_it() -> None:
    axis = axis_of(MATRIX)
    data = json.loads(payload(MATRIX, axis, folds_of(MATRIX, axis), None))
    reason = list(data["fields"]["outcome"]).index("reason")
    said = {data["texts"][outcome[reason]] for outcome in data["outcomes"]}
    assert NOTE in said
