"""The store of outcomes."""

from pathlib import Path

from ckptmatrix.measure.outcome_store import Store
from ckptmatrix.measure.sources import project_at
from tests.support.cells import cell


def test_the_store_keeps_what_it_is_given(tmp_path: Path) -> None:
    store = Store(tmp_path / "outcomes.sqlite", project_at(tmp_path))
    record = cell(status="degraded", lost=("step",))
    store.put("a", record, {})
    assert store.get("a") == record
    assert store.get("b") is None
    assert store.statuses() == {"a": "degraded"}
    other = Store(tmp_path / "outcomes.sqlite", project_at(tmp_path))
    assert other.get("a") == record
    other.forget(["a"])
    assert store.get("a") is None
