"""Which run a question is asked of where none is named."""

from pathlib import Path

import pytest

from ckptmatrix.results.which_matrix import finished_matrix


@pytest.mark.parametrize(
    ("scenarios", "tier"),
    [
        ((), "eras"),
        (("basic",), "eras"),
        (("fsdp-2-sharded",), "sharded"),
        (("fsdp-2-to-4", "fsdp-2-to-1"), "resharded"),
        (("zero-2-to-4", "zero-3"), "deepspeed"),
        (("adam-8bit",), "eight-bit"),
        (("nothing-of-this-name",), "eras"),
    ],
)
def test_a_training_with_a_tier_of_its_own_is_looked_for_in_the_run_of_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenarios: tuple[str, ...], tier: str
) -> None:
    monkeypatch.chdir(tmp_path)  # where no run was made
    matrix, source = finished_matrix(None, scenarios)
    assert matrix.run.tier.partition(" ")[0] == tier
    assert ("sample" if tier == "eras" else f"tier {tier}") in source
