"""`resume.load_state` in trainings by the real DeepSpeed: nothing is lost without a word."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, CellRecord, Environment, Status, Verdict
from ckptmatrix.plan.config import read_config
from tests.support.places import ROOT

pytestmark = pytest.mark.environments

READER = Environment("1.15.0", "torch2.4-np1-ds0.15")

CHANGED = {
    "shard-gone": "ShardGone",
    "all-gone": "AllGone",
    "nothing-found": "NothingFound",
    "not-universal": "NotUniversal",
    "state-gone": "StateGone",
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    declared = read_config(ROOT / "matrix.toml")
    scenarios = {name: f"tests.resume.engines:{made}" for name, made in CHANGED.items()}
    config = replace(
        declared,
        scenarios={**declared.scenarios, **scenarios},
        loaders={**declared.loaders, "told": "tests.resume.engines:told"},
    )
    with Lab(Site.of(config)) as made:
        yield made


def loaded(lab: Lab, scenario: str, loader: str = "ckptmatrix") -> CellRecord:
    return lab.outcome(Cell(READER, READER, scenario, loader))


def message(record: CellRecord) -> str:
    assert record.status == Status.FAILED
    assert record.error
    return record.error.message


def test_what_deepspeed_loads_is_named(lab: Lab) -> None:
    assert loaded(lab, "zero-1").status == Status.EXACT
    by = "pytorch_model, by DeepSpeed"
    assert message(loaded(lab, "zero-1", "told")) == (
        f"model restored {by}; optimizer restored {by}"
    )


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        (
            "shard-gone",
            "pytorch_model holds an optimizer's states of 1 process(es), this run has 2",
        ),
        ("all-gone", "pytorch_model holds no weights for process 0"),
        ("nothing-found", "DeepSpeed has loaded nothing from pytorch_model"),
        (
            "zero-1-to-1",
            "pytorch_model holds an optimizer's states of 2 process(es), this run has 1",
        ),
        (
            "zero-1-to-4",
            "pytorch_model holds an optimizer's states of 2 process(es), this run has 4",
        ),
        ("not-universal", "pytorch_model is not universal, and load_universal is set"),
        ("state-gone", "pytorch_model/zero/0.weight lacks exp_avg.pt"),
    ],
)
def test_what_it_would_not_load_whole_is_refused(scenario: str, reason: str, lab: Lab) -> None:
    said = message(loaded(lab, scenario))
    assert "was not restored whole" in said
    assert f"model: {reason}" in said
    assert f"optimizer: {reason}" in said


def test_accelerate_says_nothing_where_deepspeed_finds_nothing(lab: Lab) -> None:
    record = loaded(lab, "nothing-found", "accelerate")
    assert record.status == Status.DEGRADED
    assert record.error is None


def test_the_universal_form_is_loaded(lab: Lab) -> None:
    assert loaded(lab, "zero-2-universal-to-1").status == Status.EXACT
    said = message(loaded(lab, "zero-2-universal-to-1", "told"))
    assert said.startswith("model restored pytorch_model, by DeepSpeed; optimizer restored")


def test_of_more_processes_only_the_random_states_are_refused(lab: Lab) -> None:
    said = message(loaded(lab, "zero-1-universal-to-4"))
    assert "random_states_2.pkl is missing" in said
    assert "model:" not in said
    assert "optimizer:" not in said


def test_buffers_that_the_universal_form_has_not_are_refused(lab: Lab) -> None:
    scenario = "zero-2-universal-buffer-to-1"
    assert loaded(lab, scenario, "accelerate").components["model"] == Verdict.WRONG
    assert "model: pytorch_model is universal, and of that DeepSpeed loads no buffers" in message(
        loaded(lab, scenario)
    )
