"""A reader's cells stay in one process, whatever else is dealt out."""

from collections import defaultdict
from pathlib import Path

import pytest

from ckptmatrix.measure.pytest_driver import _arguments
from ckptmatrix.plan.config import Config
from ckptmatrix.plan.selection import Selection
from tests.support.places import NEWEST


class Places:
    """Plugin that keeps which process ran the cells of which reader."""

    def __init__(self) -> None:
        self.of_reader: dict[str, set[str]] = defaultdict(set)
        self.cells = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "setup":
            self.of_reader[report.nodeid.partition("/loaded-")[2]].add(report.node.gateway.id)
            self.cells += 1


def test_each_reader_starts_in_one_process_only(
    project: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CKPTMATRIX_HOME", str(tmp_path))
    places = Places()
    # Releases that no index has: the cells are dealt out, none can be measured.
    releases = ("999.1", "999.2", "999.3")
    selection = Selection("smoke", releases, (NEWEST.stack,), remedies=False)
    spread = ["-n", "2", "--dist", "loadgroup"]
    pytest.main(_arguments(project, selection, spread), plugins=[places])
    assert places.cells == 9
    assert len(places.of_reader) == 3
    assert all(len(processes) == 1 for processes in places.of_reader.values())
    assert len(set.union(*places.of_reader.values())) == 2
