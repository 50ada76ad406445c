"""What the training after a load is held against: the writer's own, as far as numbers allow."""

from typing import Any

import pytest

from ckptmatrix.worker.measured import FirstDifference
from ckptmatrix.worker.traces import (
    BROKE_DOWN,
    NothingComparedError,
    compare_traces,
    earlier,
    standard,
    telling,
)


def step(**more: Any) -> dict[str, Any]:
    return {
        "samples": [1, 2],
        "loss": (0.5).hex(),
        "lr": [(0.01).hex()],
        "synced": True,
        "rng.python": (0.25).hex(),
        "rng.torch": (0.75).hex(),
        **more,
    }


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        ("samples", [3, 4]),
        ("synced", False),
        ("rng.python", (0.5).hex()),
        ("lr", [(0.02).hex()]),
        ("lr", [(0.01).hex(), (0.01).hex()]),
        ("lr", "constant"),
        ("name", "checkpoint_3"),
        ("count", 7),
        ("nothing", None),
    ],
)
def test_what_hangs_on_no_arithmetic_is_the_writers(quantity: str, value: object) -> None:
    here = step(name="checkpoint_0", count=1, nothing=0)
    (must,) = standard([here], [{**here, quantity: value}])
    assert must == {**here, quantity: value}


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        ("loss", (0.6).hex()),
        ("loss", float("nan").hex()),
        ("rng.torch", (0.1).hex()),
        ("norms", [1, (2.5).hex()]),
        ("norms", {"one": 1.5}),
        ("lr", [(0.01 * (1 + 1e-9)).hex()]),
        ("not recorded here", 5),
    ],
)
def test_numbers_are_the_references(quantity: str, value: object) -> None:
    here = step(norms=[1, (2.0).hex()])
    assert standard([here], [{**here, quantity: value}]) == [here]


def test_the_writer_says_how_many_steps_there_are() -> None:
    one, two = step(), step(samples=[3, 4])
    assert standard([one, two], [one]) == [one]
    assert standard([one], [one, two]) == [one, two]
    assert standard([one, two], []) == [one, two]
    found = compare_traces(standard([one, two], [one]), [one, two])
    assert found == FirstDifference(2, "steps", "1", "2")


def test_what_tells_of_a_trace_is_what_loads_are_judged_by() -> None:
    (told,) = telling([step(note="a")])
    assert told.keys() == {"samples", "lr", "synced", "rng.python", "note"}


def test_the_earlier_difference_is_named() -> None:
    one, two = FirstDifference(3, "loss", "1", "2"), FirstDifference(2, "samples", "1", "2")
    assert earlier(one, two) == two
    assert earlier(one, None) == one
    assert earlier(None, None) is None
    assert earlier(two, FirstDifference(2, "loss", "1", "2")) == two


def test_a_step_that_was_not_survived_is_the_difference() -> None:
    found = compare_traces([step(), step()], [step(), {BROKE_DOWN: "ValueError: no"}])
    assert found == FirstDifference(2, BROKE_DOWN, "None", "ValueError: no")
    with pytest.raises(NothingComparedError):
        compare_traces([], [])


def test_what_is_shuffled_after_another_torch_drew_otherwise_is_its_own() -> None:
    here = [step(), step(samples=[5, 6]), step(samples=[7, 8])]
    there = [step(), step(samples=[5, 6], **{"rng.torch": (0.1).hex()}), step(samples=[9, 9])]
    assert standard(here, there) == here
    assert standard(here, there, own_order=True)[2]["samples"] == [9, 9]
    there[2]["synced"] = False
    assert standard(here, there)[2]["synced"] is False
    there[1]["samples"] = [0, 0]
    assert standard(here, there)[1]["samples"] == [0, 0]
