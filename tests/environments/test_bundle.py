"""The worker's bundle, and digests of sources."""

from pathlib import Path

import pytest

from ckptmatrix.environments.bundle import make_bundle, source_digest
from ckptmatrix.errors import UsageError


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
