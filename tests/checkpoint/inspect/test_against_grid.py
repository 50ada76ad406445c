"""What is predicted against what was measured, cell by cell; each disagreement is a bug.

The measured grid is the committed sample, or the matrix.json that CKPTMATRIX_MATRIX names. Its
checkpoints are the committed fixtures of the same writers, or those of the run itself (in
CKPTMATRIX_HOME, or `.ckptmatrix`).
"""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.inspect.facts import Facts
from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.checkpoint.inspect.prediction import Prediction, predict
from ckptmatrix.checkpoint.inspect.telling_fsdp import Fsdp, candidates
from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.model import (
    BAD,
    CellRecord,
    CheckpointRecord,
    Matrix,
    Status,
    Treatment,
    Verdict,
)
from ckptmatrix.results.matrix_file.reading import read_matrix
from tests.support.places import (
    BY_TRAINING_STACK,
    FIXTURES,
    SAMPLE,
    SHARDED_RUN,
    fixture_of,
    of_the_run,
)

OTHER_READER = {
    "custom-objects-fewer": "the reader registers another number of objects",
    "custom-objects-more": "the reader registers another number of objects",
    "compiled-to-plain": "the reader does not compile",
    "plain-to-compiled": "the reader compiles",
    "fp16-scaler-added": "the reader has a scaler",
    "fp16-scaler-removed": "the reader has no scaler",
    "assign": "the reader asks for assign=True",
    "ddp-2-from-1": "the reader runs more processes",
    "ddp-2-to-1": "the reader runs fewer processes",
    "ddp-2-main-only": "the reader runs more processes than saved",
    "sharded": "it is not read by load_state",
    "zero-1-to-1": "the reader runs fewer processes",
    "zero-1-to-4": "the reader runs more processes",
    "zero-2-to-1": "the reader runs fewer processes",
    "zero-2-to-4": "the reader runs more processes",
    "zero-1-universal-to-4": "whether the universal form is read the script says",
    "zero-2-universal-to-1": "whether the universal form is read the script says",
    "zero-2-universal-buffer-to-1": "whether the universal form is read the script says",
    "fsdp-2-to-4": "the reader runs more processes",
    "fsdp-2-sharded-to-4": "the reader runs more processes",
    "fsdp-2-v2-to-4": "the reader runs more processes",
    "fsdp-2-v2-to-1": "the reader runs one process, which waits for no other",
    "fsdp-2-v2-sharded-to-4": "the reader runs more processes",
    "fsdp-2-to-v2": "the reader uses the other FSDP",
    "fsdp-2-sharded-to-v2": "the reader uses the other FSDP",
    "fsdp-2-v2-to-v1": "the reader uses the other FSDP",
    "fsdp-2-v2-sharded-to-v1": "the reader uses the other FSDP",
    "fsdp-2-to-shards": "the reader looks for the other kind of state",
    "fsdp-2-v2-to-shards": "the reader looks for the other kind of state",
    "fsdp-2-sharded-to-full": "the reader looks for the other kind of state",
    "fsdp-2-v2-sharded-to-full": "the reader looks for the other kind of state",
}
"""Scenarios whose reader is another script than the writer: no directory tells that."""

ALIASED = {
    "tied-weights": "safetensors does not say that a name was left out",
    "shared-views": "safetensors does not say that a view was left out",
    "partial-view": "which tensors share storage is in the reader's model alone",
    "empty-buffers": "safetensors does not say that a buffer was left out",
}
"""Scenarios whose safetensors files look like any other; predicted from 0.25 on as if they were."""

UNSAVED_STEPS = {
    "accumulation": "the gradients so far are in no checkpoint",
    "accumulation-aligned": "the gradients so far are in no checkpoint",
    "mid-epoch": "the order of the running epoch is in no checkpoint",
    "mid-epoch-set-epoch": "the epoch of the sampler is in no checkpoint",
    "mid-epoch-stateful": "the order of the running epoch is in no checkpoint",
    "automatic-naming": "the counter of saves is in no checkpoint",
}
"""Scenarios whose further training hangs on something that no release saves; it may differ though
all that was saved came back, so `exact` may turn out `degraded`, and components alone decide."""

UNTOLD_CAUSES = (CauseId.SEEDABLE_SAMPLER,)
"""How the writer shuffled is in no file."""

ORDER_KEPT = {
    "ddp-2": "the samples are not shuffled",
    "accumulation-aligned": "the samples are not shuffled",
    "mid-epoch-set-epoch": "the script itself tells the sampler its epoch",
}
"""Scenarios in which the order of the samples does not hang on 0.25's sampler, which loses its
place: predicted as `degraded`, they come out `exact`. Which they are is in the script alone."""

OUTSIDE = {"gradients", "naming", "dataloader"}
"""Components that no file shows; the grid's `dataloader` is the position of accelerate's own
seedable sampler."""

UNDECIDED = {"accumulation-aligned": {"scheduler"}}
"""Scenario -> components whose meaning changed between releases: up to 0.15.0 a scheduler
counts micro-batches, then optimizer steps, and whether gradients were accumulated no file shows."""

FSDP = {
    "fsdp-2": Fsdp.FSDP1,
    "fsdp-2-sharded": Fsdp.FSDP1,
    "fsdp-2-v2": Fsdp.FSDP2,
    "fsdp-2-v2-sharded": Fsdp.FSDP2,
    "fsdp-2-bf16": Fsdp.FSDP1,
    "fsdp-2-v2-sharded-bf16": Fsdp.FSDP2,
    "fsdp-2-v2-fp16-scaler": Fsdp.FSDP2,
}
"""Scenario of fully sharded training, with a reader like its writer -> what both use."""

ZERO = ("zero-1", "zero-2", "zero-3")
"""Scenarios of DeepSpeed with a reader like its writer."""

Directory = Callable[[CheckpointRecord], Path | None]


def _comparable(cell: CellRecord) -> bool:
    if cell.loader != "accelerate" or cell.treatment != "as-saved":
        return False
    # What a scenario or an environment cannot do at all is not about the directory.
    if cell.status not in (Status.EXACT, Status.DEGRADED, Status.FAILED, Status.TIMEOUT):
        return False
    return cell.scenario not in OTHER_READER


def _components(found: dict[str, Verdict], left_out: set[str]) -> dict[str, str]:
    """Verdicts that a directory can decide; `lost` and `wrong` are one for random states.

    What is predicted holds for each process, so several verdicts of one component stay apart.
    """
    kept: dict[str, set[str]] = {}
    for ranked, verdict in found.items():
        name = ranked.partition("@")[0]
        if verdict is Verdict.ABSENT or name in OUTSIDE | left_out:
            continue
        # Hooks that build models draw numbers on the way, so that "lost" becomes "wrong".
        drawn = name.startswith("rng.") and verdict is Verdict.WRONG
        kept.setdefault(name, set()).add(str(Verdict.LOST if drawn else verdict))
    return {name: " and ".join(sorted(verdicts)) for name, verdicts in kept.items()}


def _agrees(cell: CellRecord, predicted: Prediction, facts: Facts) -> bool:
    failed = cell.status is Status.FAILED
    error = cell.error.type if cell.error else ""
    safe = any(model.format == "safetensors" for model in facts.models)
    if failed and cell.scenario in ALIASED and safe and error == "RuntimeError":
        return True
    if failed:
        raised = predicted.raises.partition(":")[0].rpartition(".")[2]
        if not raised or not error.endswith(raised):
            return False
    left_out = set(UNDECIDED.get(cell.scenario, ()))
    if cell.components.get("rng.cuda") is Verdict.ABSENT:
        left_out.add("rng.cuda")  # there is no such generator here, whatever the directory holds
    # What is the same in every new process no load can lose, whatever the reader does.
    same = {n for n, verdict in cell.components.items() if verdict is Verdict.NOT_TOLD_APART}
    left_out |= {name.partition("@")[0] for name in same}
    measured = _components(cell.components, left_out)
    if measured != _components(predicted.components, left_out):
        return False
    if cell.cause in UNTOLD_CAUSES and cell.status is Status.DEGRADED:
        return predicted.status in (Status.EXACT, Status.DEGRADED)
    # Other scenarios have causes of their own, which no directory tells.
    if (
        cell.scenario in ("basic", *FSDP, *ZERO)
        and cell.cause is not None
        and cell.cause != predicted.cause
    ):
        return False
    if same and cell.status is Status.EXACT:
        bad = {name for name, verdict in predicted.components.items() if verdict in BAD}
        return bad <= left_out
    if cell.scenario in UNSAVED_STEPS and cell.status is Status.DEGRADED:
        return predicted.status in (Status.EXACT, Status.DEGRADED)
    if cell.scenario in ORDER_KEPT and cell.status is Status.EXACT:
        return predicted.status in (Status.EXACT, Status.DEGRADED)
    return predicted.status == cell.status


def disagreements(matrix: Matrix, directory: Directory) -> tuple[int, list[str]]:
    """Compare every cell whose checkpoint is at hand.

    Returns:
        How many cells were compared, and a line for each that came out otherwise.
    """
    records = {(record.writer, record.scenario): record for record in matrix.checkpoints}

    @cache
    def facts_of(writer: str, scenario: str) -> Facts | None:
        record = records.get((writer, scenario))
        place = directory(record) if record is not None and record.status == "written" else None
        return gather(place) if place is not None else None

    compared, wrong = 0, []
    for cell in filter(_comparable, matrix.cells):
        facts = facts_of(cell.writer, cell.scenario)
        if facts is None:
            continue
        reader = matrix.environments[cell.reader]
        predicted = predict(facts, reader.accelerate, reader.torch, reader.numpy)
        compared += 1
        told = candidates(facts)
        if cell.scenario in FSDP and told != (FSDP[cell.scenario],):
            wrong.append(f"{cell.scenario} {cell.writer}: taken for {told}")
        if not _agrees(cell, predicted, facts):
            wrong.append(
                f"{cell.scenario} {cell.writer} -> {cell.reader}: "
                f"measured {cell.status} {_components(cell.components, set())} "
                f"{cell.error.type if cell.error else ''}, "
                f"predicted {predicted.status} {_components(predicted.components, set())} "
                f"{predicted.raises}"
            )
    return compared, wrong


@pytest.fixture(scope="module")
def run() -> Matrix:
    """The measured grid; large, so read once."""
    path = Path(os.environ.get("CKPTMATRIX_MATRIX") or SAMPLE)
    if not path.exists():
        pytest.skip(f"no measured grid at {path}")
    return read_matrix(path)


def test_every_fixture_is_read_as_was_measured(run: Matrix) -> None:
    if not list(FIXTURES.glob("*/*/manifest.json")):
        pytest.skip("no fixtures")
    compared, wrong = disagreements(run, fixture_of)
    if compared == 0 and os.environ.get("CKPTMATRIX_MATRIX"):
        pytest.skip("no fixture is of a writer and scenario of this run")
    assert compared > 0
    assert wrong == []


def test_every_sharded_fixture_is_read_as_was_measured() -> None:
    run = read_matrix(SHARDED_RUN)
    compared, wrong = disagreements(run, fixture_of)
    assert wrong == []
    there = {(one.writer, one.scenario) for one in run.checkpoints if fixture_of(one) is not None}
    plain = [c for c in run.cells if _comparable(c) and (c.writer, c.scenario) in there]
    assert compared == len(plain)
    assert {scenario for _, scenario in there} <= set(FSDP)
    assert {cell.status for cell in plain} == {
        *(Status.EXACT, Status.DEGRADED, Status.FAILED, Status.TIMEOUT)
    }
    assert {cell.cause for cell in plain} >= {
        *(CauseId.FSDP_NAMES, CauseId.FSDP_WAITS, CauseId.OPTIMIZER_SHARDS_UNREAD),
        *(CauseId.SHARDS_NEWER_TORCH, CauseId.OPTIMIZER_KEYS_MISSING, CauseId.FSDP_NUMBERS),
    }


@pytest.mark.environments
def test_every_checkpoint_of_a_run_is_read_as_was_measured(run: Matrix) -> None:
    compared, wrong = disagreements(run, of_the_run)
    if compared == 0:
        pytest.skip("the checkpoints of this run are not on this machine")
    assert wrong == []


EXCLUSIONS = [
    pytest.param(listed, scenario, id=scenario)
    for listed in (OTHER_READER, ALIASED, UNSAVED_STEPS, ORDER_KEPT, UNDECIDED)
    for scenario in listed
]


@pytest.mark.environments
@pytest.mark.parametrize(("listed", "scenario"), EXCLUSIONS)
def test_no_scenario_is_excluded_without_need(
    listed: dict[str, object], scenario: str, run: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its exclusion, some cell of it must come out otherwise than predicted."""
    cells = tuple(cell for cell in run.cells if cell.scenario == scenario)
    monkeypatch.delitem(listed, scenario)
    compared, wrong = disagreements(replace(run, cells=cells), of_the_run)
    if compared == 0 or compared < sum(map(_comparable, cells)):
        pytest.skip("this run measured none, or not all its checkpoints are on this machine")
    assert wrong != []


def test_a_wrong_prediction_would_be_noticed() -> None:
    """The comparison itself: the same cell, measured otherwise, is a disagreement."""
    facts = gather(BY_TRAINING_STACK / "lora-000030-state")
    predicted = predict(facts, "1.15.0", "2.13.0", "1.26.4")
    ends = ("accelerate-0.33.0+torch2.4-np1", "accelerate-1.15.0+torch2.15-np1", "kohya-lora")
    cell = CellRecord(
        *ends, "accelerate", Treatment.AS_SAVED, Status.EXACT, dict(predicted.components)
    )
    assert _agrees(cell, predicted, facts)
    lost = {**predicted.components, "step": Verdict.LOST}
    other = CellRecord(*ends, "accelerate", Treatment.AS_SAVED, Status.DEGRADED, lost)
    assert not _agrees(other, predicted, facts)
