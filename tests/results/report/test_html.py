"""The page as a file: self-contained, escaped, small; what it does is tested in a browser."""

import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from typing import Any

import pytest

from ckptmatrix.model import CellRecord, Device, ErrorRecord, Matrix, Resume, Status
from ckptmatrix.results.findings.ages import when
from ckptmatrix.results.findings.axis import axis_of
from ckptmatrix.results.findings.folds import folds_of
from ckptmatrix.results.report import html
from ckptmatrix.results.report.page import page_of
from ckptmatrix.results.report.payload import payload
from tests.support import synthetic

HOSTILE = """</script><script>alert(1)</script><img src=x onerror=alert(1)>"'&<!--"""


class Tags(HTMLParser):
    """Collects tags, attributes, and the text of table cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(matrix: Matrix | None = None, baseline: Matrix | None = None) -> str:
    return html.render(page_of(matrix or synthetic.matrix(), baseline)).decode()


def test_nothing_is_asked_of_any_network() -> None:
    tags = Tags(page())
    for tag, attributes in tags.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name)
            if value is None or tag == "a":
                continue
            assert value == "data:,", (tag, name, value)
    assert "@import" not in page()
    assert not re.search(r"url\((?!#)", page())


def test_the_table_is_there_without_scripts() -> None:
    tags = Tags(page())
    labels = [
        attributes["aria-label"] for attributes in tags.of("td") if "aria-label" in attributes
    ]
    assert (
        "saved with 0.32.1–1.4.0 on torch2.4-np1, loaded with 1.8.1–1.15.0 on torch2.15-np2: "
        "degraded; a remedy makes it whole"
    ) in labels
    folds = folds_of(synthetic.matrix(), axis_of(synthetic.matrix()))
    assert len(labels) == len(folds.writers) * len(folds.readers)


def test_markup_out_of_a_checkpoint_or_a_message_stays_text() -> None:
    text = page(synthetic.matrix(["0.31.0", "0.33.0", "1.15.0"], hostile=HOSTILE))
    tags = Tags(text)
    assert not tags.of("img")
    assert len(tags.of("script")) == 2
    assert text.count("</script>") == 2
    assert not [a for a in tags.of("a") if (a["href"] or "").startswith("javascript:")]
    assert "&lt;/script&gt;" in text
    # What the scripts show is the same text again.
    assert HOSTILE in "".join(json.loads(tags.scripts[0])["texts"])


def test_colours_that_torch_puts_into_a_message_are_taken_out() -> None:
    matrix = synthetic.matrix(["0.31.0", "0.33.0"])
    error = ErrorRecord("OSError", "\x1b[1mdo this\x1b[0m", "here: \x1b[31mraise")
    cells = tuple(replace(c, error=error) if c.error else c for c in matrix.cells)
    texts = json.loads(Tags(page(replace(matrix, cells=cells))).scripts[0])["texts"]
    assert {"do this", "here: raise"} <= set(texts)
    assert not [text for text in texts if "\x1b" in text]


class Data:
    """The page's data, read as `data.js` does: by the names that it gives itself."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def record(self, kind: str, values: list[Any]) -> dict[str, Any]:
        fields = self.data["fields"][kind]
        assert len(fields) == len(values)
        return {
            name: self.data["texts"][value] if meaning == "text" else value
            for (name, meaning), value in zip(fields.items(), values, strict=True)
        }

    def part(self, number: int, kind: str) -> Any:
        part = self.data["parts"][number]
        if part is None or not part or not isinstance(part[0], list):
            return part and self.record(kind, part)
        return [self.record(kind, values) for values in part]

    def outcome(self, cell: CellRecord, place: dict[str, int]) -> dict[str, Any]:
        views = [(view["loader"], view["treatment"]) for view in self.data["views"]]
        rows = self.data["grid"][views.index((cell.loader, cell.treatment))]
        row = rows[self.data["scenarios"].index(cell.scenario)][place[cell.writer]]
        runs = self.data["rows"][row]
        outcomes = [o for o, n in zip(runs[::2], runs[1::2], strict=True) for _ in range(n)]
        found = self.record("outcome", self.data["outcomes"][outcomes[place[cell.reader]]])
        for name, meaning in self.data["fields"]["outcome"].items():
            if meaning == "part":
                kind = {"swallowed": "error"}.get(name, name.removesuffix("s"))
                found[name] = self.part(found[name], kind)
        return found


def test_every_field_of_every_outcome_can_be_read_back_from_the_packed_data() -> None:
    matrix = synthetic.matrix(["0.24.1", "0.33.0", "1.1.1", "1.15.0"], ["basic", "hooks"])
    odd = replace(matrix.cells[0], expected=False, expectation="it was exact")
    matrix = replace(matrix, cells=(odd, *matrix.cells[1:]))
    axis = axis_of(matrix)
    place = {id_: index for index, id_ in enumerate(axis.environments)}
    data = Data(json.loads(payload(matrix, axis, folds_of(matrix, axis), None)))
    for cell in matrix.cells:
        found = data.outcome(cell, place)
        resume = cell.resume or Resume(False)
        assert data.data["statuses"][found.pop("status")]["name"] == cell.status
        assert found == {
            "cause": cell.cause or "",
            "expected": cell.expected,
            "change": "",
            "components": [{"name": n, "verdict": v} for n, v in cell.components.items()],
            "differences": [{"name": n, **asdict(d)} for n, d in cell.differences.items()],
            "error": cell.error and _shown(cell.error),
            "swallowed": [_shown(error) for error in cell.swallowed],
            "steps": resume.steps,
            "first": resume.first_difference and asdict(resume.first_difference),
            "reason": cell.reason,
            "expectation": cell.expectation,
            "measured": when(cell, matrix.run),
        }


def _shown(error: ErrorRecord) -> dict[str, str]:
    return {"type": error.type, "message": error.message, "traceback": error.traceback}


def test_the_page_of_every_release_and_scenario_is_far_below_its_limit() -> None:
    matrix = synthetic.matrix(
        synthetic.FULL, synthetic.SCENARIOS[:2], (("accelerate", "as-saved"),)
    )
    assert len(html.render(page_of(matrix))) < 5_000_000


def test_unexpected_outcomes_and_regressions_come_first() -> None:
    matrix = synthetic.matrix()
    odd = next(cell for cell in matrix.cells if cell.status is Status.EXACT)
    cells = tuple(
        replace(c, status=Status.FAILED, expected=False, expectation="was exact") if c is odd else c
        for c in matrix.cells
    )
    text = page(replace(matrix, cells=cells), matrix)
    assert "Not as expected: 1 outcome." in text
    assert text.index("Worse than in the baseline: 1 load.") < text.index("My upgrade")
    assert "was exact" in text
    assert re.search(r'class="failed [^"]*surprise[^"]*changed', text)


@pytest.mark.parametrize("device", Device)
def test_the_page_says_on_what_it_was_measured(device: Device) -> None:
    matrix = synthetic.matrix(["1.15.0"])
    text = page(replace(matrix, run=replace(matrix.run, device=device, device_name="Some GPU")))
    assert ("CUDA random states, GradScaler" in text) == (device is Device.CPU)
    assert "<strong>accelerate 1.16.0 is out and not measured</strong>" in text


def test_a_run_without_accelerates_own_loader_has_a_page() -> None:
    matrix = synthetic.matrix()
    others = tuple(replace(cell, loader="ckptmatrix") for cell in matrix.cells)
    assert "<table" in page(replace(matrix, cells=others))
