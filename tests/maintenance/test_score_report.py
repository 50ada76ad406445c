"""The kept scores: written, read back, refused when they are something else."""

from pathlib import Path

import pytest

from ckptmatrix.errors import UsageError
from ckptmatrix.maintenance.mutation import Fate, Mutant, Score
from ckptmatrix.maintenance.score_report import kept_of, read_scores, write_scores
from ckptmatrix.model import Status

FLIPPED = Mutant("optimizer.bin", ("state", 0, "step"), "flip", ("optimizer",), Fate.NAMED)
MOOT = Mutant("random_states_0.pkl", ("cuda",), "drop", ("rng.cuda",), Fate.MOOT, "there is no GPU")
MISSED = Mutant("model.safetensors", (), "zero", ("model",), Fate.MISSED, "everything restored")
SCORE = Score("basic", "accelerate-1.15.0+s", "accelerate", Status.EXACT, (FLIPPED, MOOT, MISSED))


def test_what_is_written_is_read_back_and_keeps_what_speaks_against_the_judge(
    tmp_path: Path,
) -> None:
    kept = kept_of(SCORE, "key")
    write_scores(tmp_path, (kept,))
    assert read_scores(tmp_path) == (kept,)
    assert (kept.made, kept.caught, kept.same, kept.faults) == (3, 1, (MOOT,), (MISSED,))


def test_the_table_has_a_number_for_each_column(tmp_path: Path) -> None:
    _, page = write_scores(tmp_path, (kept_of(SCORE, "key"),))
    head, _, row = [line for line in page.read_text().splitlines() if line.startswith("|")]
    cells = dict(zip(head.strip("| ").split(" | "), row.strip("| ").split(" | "), strict=True))
    assert cells["written and read by"] == "accelerate-1.15.0+s"
    assert (cells["mutants"], cells["named"], cells["moot"], cells["faults"]) == (
        "3",
        "1",
        "1",
        "1",
    )
    assert "- basic: `model.safetensors`, zero: missed: everything restored" in page.read_text()


@pytest.mark.parametrize("text", ["<html>", '{"schema": "ckptmatrix.mutation/9", "rows": []}'])
def test_something_else_is_refused_by_name(text: str, tmp_path: Path) -> None:
    assert read_scores(tmp_path) == ()
    (tmp_path / "mutation.json").write_text(text)
    with pytest.raises(UsageError, match=r"mutation\.json"):
        read_scores(tmp_path)
