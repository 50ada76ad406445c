"""FSDP's directories: which FSDP wrote them, and what is said where no file tells."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console, RenderableType

from ckptmatrix.checkpoint.inspect.console import outlook_table
from ckptmatrix.checkpoint.inspect.facts import DECOUPLED, Facts
from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.checkpoint.inspect.inspection import as_json, inspect
from ckptmatrix.checkpoint.inspect.outlook import outlook
from ckptmatrix.checkpoint.inspect.prediction import predict, predictions
from ckptmatrix.checkpoint.inspect.provenance import About, provenance, range_of
from ckptmatrix.checkpoint.inspect.telling_fsdp import Fsdp, candidates
from ckptmatrix.cli.inspect import command
from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.model import Status, Verdict
from tests.support.places import FIXTURES, NEWEST_BASIC
from tests.support.torch_files import torch_file

NEW = ("1.15.0", "2.15.0", "2.4.6")


def rendered(table: RenderableType) -> str:
    """A table as it is printed."""
    console = Console(width=200)
    with console.capture() as caught:
        console.print(table)
    return caught.get()


def _optimizer(*keys: str, by_name: bool = True) -> bytes:
    """An optimizer's file whose first parameter has this state."""
    parameter: str | int = "x.weight" if by_name else 0
    group = {"lr": 0.1, "betas": [0.9, 0.99], "eps": 1e-8, "amsgrad": False, "maximize": False}
    state = {parameter: dict.fromkeys(keys, 1.0)}
    return torch_file({"state": state, "param_groups": [{**group, "params": [parameter]}]})


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A gathered state of a new release, of an optimizer that tells nothing."""
    random = NEWEST_BASIC / "random_states_0.pkl"
    (tmp_path / random.name).write_bytes(random.read_bytes())
    (tmp_path / "pytorch_model_fsdp.bin").write_bytes(torch_file({}))
    (tmp_path / "optimizer.bin").write_bytes(_optimizer("momentum_buffer"))
    return tmp_path


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (("step", "exp_avg", "exp_avg_sq"), (Fsdp.FSDP2,)),
        (("exp_avg", "exp_avg_sq", "step"), (Fsdp.FSDP1,)),
        (("momentum_buffer",), (Fsdp.FSDP1, Fsdp.FSDP2)),
    ],
)
def test_the_order_of_adams_state_tells_which_fsdp_it_was(
    state: Path, keys: tuple[str, ...], told: tuple[Fsdp, ...]
) -> None:
    (state / "optimizer.bin").write_bytes(_optimizer(*keys))
    assert candidates(gather(state)) == told


def test_what_is_older_than_fsdp2_is_of_fsdp1(state: Path) -> None:
    writer = FIXTURES / "basic" / "1.4.0+torch2.4-np1"
    (old,) = writer.glob("*/random_states_0.pkl")
    (state / old.name).write_bytes(old.read_bytes())
    assert candidates(gather(state)) == (Fsdp.FSDP1,)
    (seen,) = [one for one in inspect(state).evidence if one.about is About.FSDP]
    assert "before 1.5" in seen.because


def test_where_no_file_tells_both_are_predicted(state: Path) -> None:
    one = inspect(state)
    facts = one.facts
    assert [seen.conclusion for seen in one.evidence if seen.about is About.FSDP] == [
        "FSDP1 or FSDP2"
    ]
    assert set(predictions(facts, *NEW)) == {None}  # gathered, 1.15.0 restores both
    waiting = predictions(facts, "1.8.1", *NEW[1:])
    assert {fsdp: found.status for fsdp, found in waiting.items()} == {
        Fsdp.FSDP1: Status.EXACT,
        Fsdp.FSDP2: Status.TIMEOUT,
    }
    table = rendered(outlook_table(one.outlook))
    assert "script uses" in table
    assert "timeout: never returns" in table
    assert {box["fsdp"] for box in as_json(one)["outlook"]} == {"FSDP1", "FSDP2"}


def test_where_they_are_told_apart_nobody_is_asked_what_the_script_uses(state: Path) -> None:
    (state / "optimizer.bin").write_bytes(_optimizer("step", "exp_avg", "exp_avg_sq"))
    one = inspect(state)
    assert {box.fsdp for box in one.outlook} == {None}
    assert "script uses" not in rendered(outlook_table(one.outlook))


@pytest.mark.parametrize(("release", "code", "entries"), [("1.15.0", 0, 1), ("1.8.1", 1, 2)])
def test_an_answer_for_one_reader_is_given_for_each_fsdp_it_can_be(
    state: Path, release: str, code: int, entries: int
) -> None:
    pins = f"accelerate=={release} torch==2.15.0 numpy==2.4.6"
    done = CliRunner().invoke(command, [str(state), "--reader", pins, "--json"])
    assert done.exit_code == code, done.output
    assert len(json.loads(done.output)) == entries
    told = CliRunner().invoke(command, [str(state), "--reader", pins]).output
    assert ("if the script uses FSDP2:" in told) == (entries == 2)


def test_both_kinds_of_state_at_once_are_not_predicted(state: Path) -> None:
    folder = state / "pytorch_model_fsdp_0"
    folder.mkdir()
    (folder / "__0_0.distcp").write_bytes(torch_file({}))
    for found in predictions(gather(state), *NEW).values():
        assert found.status is Status.NOT_RUN
        assert "gathered and in shards" in found.reason


def test_each_processs_own_state_is_not_predicted(state: Path) -> None:
    (state / "pytorch_model_fsdp.bin").rename(state / "pytorch_model_fsdp_rank0.bin")
    for found in predictions(gather(state), *NEW).values():
        assert found.status is Status.NOT_RUN
        assert "for each process" in found.reason


def _facts(scenario: str, writer: str) -> Facts:
    return gather(FIXTURES / scenario / writer / "checkpoint")


def test_an_optimizer_by_numbers_is_lost_silently_or_aloud() -> None:
    facts = _facts("fsdp-2-v2-sharded", "1.6.0+torch2.15-np2")
    silent = predict(facts, "1.12.0", *NEW[1:])
    assert (silent.status, silent.cause) == (Status.DEGRADED, CauseId.OPTIMIZER_SHARDS_UNREAD)
    assert silent.reason.endswith("restores it, but not this one.")
    aloud = predict(facts, "1.13.0", *NEW[1:])
    assert (aloud.status, aloud.cause) == (Status.FAILED, CauseId.FSDP_NUMBERS)
    assert aloud.components["optimizer"] is Verdict.WRONG
    assert (aloud.components["model"], aloud.components["scheduler"]) == ("restored", "lost")
    named = _facts("fsdp-2-v2-sharded", "1.15.0+torch2.15-np2")
    assert predict(named, "1.13.0", *NEW[1:]).status is Status.EXACT
    assert "not this one" not in predict(named, "1.12.0", *NEW[1:]).reason


@pytest.mark.parametrize(
    ("writer", "torch", "cause"),
    [
        ("1.15.0+torch2.15-np2", "2.14.1", CauseId.SHARDS_NEWER_TORCH),
        ("1.15.0+torch2.15-np2", "2.15.0", CauseId.OPTIMIZER_SHARDS_UNREAD),
        ("1.15.0+torch2.4-np1", "2.6.0", CauseId.OPTIMIZER_SHARDS_UNREAD),
        ("1.15.0+torch2.4-np1", "2.7.0", CauseId.OPTIMIZER_KEYS_MISSING),
    ],
)
def test_shards_and_torch_have_to_fit(writer: str, torch: str, cause: CauseId) -> None:
    """Neither older shards under newer torch nor newer ones under older torch are all read."""
    facts = _facts("fsdp-2-sharded", writer)
    found = predict(facts, "1.15.0", torch, "1.26.4")
    assert found.cause == cause
    boxes = [
        box
        for box in outlook(facts)
        if "1.15.0" in box.accelerate and torch in box.torch and "1.26.4" in box.numpy
    ]
    assert [box.outcome.cause for box in boxes] == [cause]
    came_back = cause is not CauseId.SHARDS_NEWER_TORCH
    assert (found.components["model"] is Verdict.RESTORED) == came_back


def test_shards_are_asked_what_there_is_by_releases_that_restore_fsdp1() -> None:
    facts = _facts("fsdp-2-sharded", "1.15.0+torch2.4-np1")
    assert predict(facts, "1.6.0", "2.15.0", "1.26.4").status is Status.EXACT


def test_only_adam_lacks_a_key() -> None:
    """Other optimizers have had such a key for longer, or have none in newer torch either."""
    facts = _facts("fsdp-2-sharded", "1.15.0+torch2.4-np1")
    (optimizer,) = facts.optimizers
    momentum = replace(optimizer, candidates=("torch.optim.SGD",))
    found = predict(replace(facts, optimizers=(momentum,)), "1.15.0", *NEW[1:], Fsdp.FSDP1)
    assert found.cause == CauseId.OPTIMIZER_SHARDS_UNREAD
    old = _facts("basic", "1.4.0+torch2.4-np1")
    rectified = replace(
        old.optimizers[0], candidates=("torch.optim.RAdam",), group_keys=(DECOUPLED,)
    )
    told = provenance(replace(old, optimizers=(rectified,)))
    assert range_of(told, About.TORCH) == range_of(provenance(old), About.TORCH)


def test_a_gradient_scaler_counts_the_load_under_fsdp2_alone(state: Path) -> None:
    (state / "scaler.pt").write_bytes(torch_file({"scale": 65536.0, "_growth_tracker": 4}))
    found = predictions(gather(state), *NEW)
    assert found[Fsdp.FSDP1].components["scaler"] == "restored"
    assert (found[Fsdp.FSDP2].components["scaler"], found[Fsdp.FSDP2].cause) == (
        "wrong",
        CauseId.FSDP_SCALER_COUNTS,
    )
