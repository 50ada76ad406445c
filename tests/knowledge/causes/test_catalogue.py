"""The catalogue of causes: whole, described, and as its page says."""

import importlib.util
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from ckptmatrix.knowledge.causes import Evidence, cause_of, known_causes
from ckptmatrix.model import (
    CellRecord,
    CheckpointRecord,
    CheckpointStatus,
    EnvironmentRecord,
    EnvironmentStatus,
    ErrorRecord,
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
def test_each_has_title_explanation_and_remedy(name: str) -> None:
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
