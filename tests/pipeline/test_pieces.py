"""The small pieces of the pipeline."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ckptmatrix import index
from ckptmatrix.errors import UsageError
from ckptmatrix.estimate import Work, in_words
from ckptmatrix.index import uv_settings
from ckptmatrix.installing import one_sentence
from ckptmatrix.sources import make_bundle, source_digest
from ckptmatrix.store import Store
from tests.pipeline.cellmaking import cell

CONFLICT = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because accelerate==0.33.0 depends on numpy>=1.17,<2.0.0 and you require accelerate==0.33.0,
      we can conclude that you require numpy>=1.17,<2.0.0.
      And because you require numpy==2.4.1, we can conclude that they are unsatisfiable.
"""


def test_the_resolvers_reason_in_one_sentence() -> None:
    reason = one_sentence(CONFLICT)
    assert "accelerate==0.33.0 depends on numpy>=1.17,<2.0.0" in reason
    assert "conclude" not in reason
    assert "\n" not in reason
    assert one_sentence("error: Failed to fetch `x`\n") == "Failed to fetch `x`"
    assert one_sentence("")


def test_pips_settings_are_handed_on_to_uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path} {tmp_path / 'missing'}")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    found = uv_settings({})
    assert found["UV_FIND_LINKS"] == str(tmp_path)
    assert found["UV_DEFAULT_INDEX"] == "https://index.example/simple"
    kept = uv_settings({"UV_FIND_LINKS": "mine", "UV_INDEX_URL": "mine"})
    assert "UV_FIND_LINKS" not in kept
    assert "UV_DEFAULT_INDEX" not in kept


def test_an_index_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(Exception, match="package index could not be asked") as error:
        index.released("accelerate")
    assert error.value.remedy  # type: ignore[attr-defined]


def test_the_store_keeps_what_it_is_given(tmp_path: Path) -> None:
    store = Store(tmp_path / "outcomes.sqlite")
    record = cell(status="degraded", lost=("step",))
    store.put("a", record)
    assert store.get("a") == record
    assert store.get("b") is None
    assert store.statuses() == {"a": "degraded"}
    other = Store(tmp_path / "outcomes.sqlite")
    assert other.get("a") == record
    other.forget(["a"])
    assert store.get("a") is None


def test_a_scenarios_digest_changes_with_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("X = 1\n")
    (tmp_path / "mine.py").write_text("import helper\n")
    (tmp_path / "other.py").write_text("import json\n")
    before = [source_digest(f"{name}:x", tmp_path) for name in ("mine", "other")]
    (tmp_path / "helper.py").write_text("X = 2\n")
    source_digest.cache_clear()
    after = [source_digest(f"{name}:x", tmp_path) for name in ("mine", "other")]
    assert before[0] != after[0]
    assert before[1] == after[1]
    with pytest.raises(UsageError, match="no module"):
        source_digest("nowhere:x", tmp_path)


def test_the_bundle_has_the_worker_and_nothing_of_the_host(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    names = {path.name for path in (bundle / "ckptmatrix").iterdir()}
    assert names <= {"__init__.py", "resume.py", "worker"}
    assert (bundle / "ckptmatrix" / "worker" / "scenarios" / "basic.py").exists()
    assert make_bundle(tmp_path) == bundle


def test_an_estimate_grows_with_the_work() -> None:
    none = Work(0, 0, 0, 0, 0, 0)
    some = Work(45, 45, 45, 45, 2025, 0)
    assert none.seconds(2) == 0
    assert replace(some, remedies=True).seconds() > some.seconds()
    # What is not written yet may turn out to be the same as something else.
    assert replace(some, cells=0, loads=2025).seconds() > some.seconds()
    assert some.seconds(1) == 2 * some.seconds(2)
    assert in_words(12.2) == "12 s"
    assert in_words(720) == "12 min"
    assert in_words(6600) == "1 h 50 min"


def test_the_committed_expectations_have_reasons_and_links() -> None:
    from ckptmatrix.expectations import read_expectations

    path = Path(__file__).parents[2] / "expectations.toml"
    for entry in read_expectations(path).entries:
        assert entry.reason
        assert entry.link
        assert json.dumps(entry.message)
