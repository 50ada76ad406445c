"""The catalogue of causes: whole, described, and as its page says."""

import importlib.util
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from ckptmatrix.knowledge.causes import CauseId, cause_of, explained, known_causes
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import (
    CellRecord,
    CheckpointRecord,
    CheckpointStatus,
    Difference,
    EnvironmentRecord,
    EnvironmentStatus,
    ErrorRecord,
    Status,
    Verdict,
)
from tests.support.cells import cell
from tests.support.places import ROOT

REFUSAL = ErrorRecord("_pickle.UnpicklingError", "GLOBAL numpy.core.multiarray._reconstruct")


def evidence(
    record: CellRecord, reader: str = "1.15.0", numpy: tuple[str, str] = ("1", "1"), **more: Any
) -> Evidence:
    saved = EnvironmentRecord("0.33.0", "a", EnvironmentStatus.READY, numpy=f"{numpy[0]}.26")
    loaded = EnvironmentRecord(reader, "b", EnvironmentStatus.READY, numpy=f"{numpy[1]}.4")
    return Evidence(
        record, saved, loaded, CheckpointRecord("w", "basic", CheckpointStatus.WRITTEN, **more)
    )


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("page", ROOT / "tools" / "make_causes_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_as_the_catalogue() -> None:
    page = (ROOT / "docs" / "causes.md").read_text(encoding="utf-8")
    assert page == tool().page(known_causes()), "run tools/make_causes_page.py"


@pytest.mark.parametrize("name", known_causes())
def test_each_has_title_explanation_and_remedy(name: CauseId) -> None:
    cause = known_causes()[name].cause
    assert cause.title
    assert cause.explanation
    assert cause.remedy
    assert all(link.startswith("https://") for link in cause.links)


def swallowing() -> CellRecord:
    return replace(cell(status="degraded", lost=("rng.numpy", "step")), swallowed=(REFUSAL,))


def test_the_founding_case() -> None:
    raised = cell(status="failed", error="KeyError: 'step'")
    assert cause_of(evidence(replace(raised, swallowed=(REFUSAL,)), "0.33.0")) == "refused-step"
    older = evidence(raised, "0.33.0", unsaved={"step": ("",)})
    assert cause_of(older) == "missing-step"
    assert cause_of(evidence(raised, "0.33.0")) is None


def test_refusals_are_told_apart_by_what_was_measured() -> None:
    assert cause_of(evidence(swallowing(), "1.0.1")) == "numpy-refused"
    assert cause_of(evidence(swallowing(), "1.0.1", ("1", "2"))) == "numpy-refused"
    assert cause_of(evidence(swallowing(), "1.15.0", ("1", "2"))) == "numpy-major"


def test_the_format_of_the_weights() -> None:
    missing = cell(status="failed", error="FileNotFoundError: no CHECKPOINT/pytorch_model.bin")
    new = evidence(missing, files={"model.safetensors": 1})
    assert cause_of(new) == "safetensors-unknown"
    assert cause_of(evidence(missing, files={})) is None


def test_what_is_exact_or_strange_has_no_cause() -> None:
    assert cause_of(evidence(cell())) is None
    assert cause_of(evidence(cell(status="failed", error="OSError: strange"))) is None


def test_each_file_has_the_name_of_its_cause() -> None:
    folder = ROOT / "src" / "ckptmatrix" / "knowledge" / "causes"
    files = {path.stem.replace("_", "-") for path in folder.glob("*.py")} - {"--init--"}
    assert set(known_causes()) == files


def test_every_other_id_is_one_that_inspect_says() -> None:
    inspect = ROOT / "src" / "ckptmatrix" / "checkpoint" / "inspect"
    text = "".join(path.read_text(encoding="utf-8") for path in inspect.glob("*.py"))
    said = {id_ for id_ in CauseId if f"CauseId.{id_.name}" in text}
    assert set(CauseId) - set(known_causes()) <= said


def test_no_module_writes_an_id_as_a_bare_text() -> None:
    """A misspelt one would be noticed by nothing."""
    for folder in ("checkpoint", "knowledge", "measure", "results"):
        for path in (ROOT / "src" / "ckptmatrix" / folder).rglob("*.py"):
            if path != ROOT / "src" / "ckptmatrix" / "knowledge" / "causes" / "__init__.py":
                text = path.read_text(encoding="utf-8")
                assert [id_ for id_ in CauseId if f'"{id_}"' in text] == [], path


def test_cells_of_a_whole_run_get_their_causes() -> None:
    lost = replace(swallowing(), writer="w", reader="r", scenario="basic")
    whole, skipped = cell(), replace(lost, status=Status.NOT_RUN, writer="never built")
    ends = {"w": EnvironmentRecord("0.33.0", "a", EnvironmentStatus.READY, numpy="1.26.4")}
    ends["r"] = EnvironmentRecord("1.15.0", "a", EnvironmentStatus.READY, numpy="2.4.1")
    saved = (CheckpointRecord("w", "basic", CheckpointStatus.WRITTEN),)
    cells, causes = explained((lost, whole, skipped), ends, saved)
    assert [one.cause for one in cells] == [CauseId.NUMPY_MAJOR, None, None]
    assert causes == {"numpy-major": known_causes()[CauseId.NUMPY_MAJOR].cause}


@pytest.mark.parametrize("component", ["scheduler", "model", "dataloader", "rng.numpy"])
def test_a_checkpoint_of_unknown_writer_gets_an_answer(component: str) -> None:
    """`try` has a directory, and no record of what saved it."""
    wrong = replace(cell(status="degraded"), components={component: Verdict.WRONG})
    different = {component: Difference("state", "1", "2")}
    record = replace(wrong, differences=different, swallowed=(REFUSAL,))
    unknown = EnvironmentRecord("", "", EnvironmentStatus.READY)
    assert cause_of(replace(evidence(record), writer=unknown)) is CauseId.NUMPY_REFUSED
