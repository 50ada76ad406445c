"""Which component a place of a checkpoint belongs to, where a scenario says so itself."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ckptmatrix.worker.ownership import owners

FILES = (
    ("state.json:epoch", "progress"),
    ("state.json:*_note", ""),
    ("unet/*", "model"),
    ("log.txt", ""),
)


@pytest.mark.parametrize(
    ("file", "key", "named"),
    [
        ("state.json", "epoch", ("progress",)),
        ("state.json", "a_note", ()),
        ("state.json", "anything", ("hook_files",)),
        ("state.json", None, ("progress", "hook_files")),
        ("unet/config.json", "features", ("model",)),
        ("unet/config.json", None, ("model",)),
        ("log.txt", None, ()),
        ("log.txt", "first", ()),
        ("other.json", "first", ("hook_files",)),
        ("optimizer.bin", "state", ("optimizer",)),
    ],
)
def test_a_place_belongs_to_what_the_first_pattern_says(
    file: str, key: str | None, named: tuple[str, ...]
) -> None:
    scenario: Any = SimpleNamespace(files=FILES, processes=(1, 1))
    assert owners(scenario, file, key) == named


def test_each_process_that_reads_has_its_own() -> None:
    scenario = cast(Any, SimpleNamespace(files=FILES, processes=(2, 2)))
    assert owners(scenario, "state.json", "epoch") == ("progress", "progress@1")
