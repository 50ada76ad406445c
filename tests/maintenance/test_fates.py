"""What is made of the judge's answer to an altered checkpoint. Pure."""

from dataclasses import replace
from typing import Any

import pytest

from ckptmatrix.maintenance.mutation import Fate, Mutant, Score, fate_of
from ckptmatrix.model import (
    CellRecord,
    ErrorRecord,
    FirstDifference,
    Resume,
    Status,
    Treatment,
    Verdict,
)
from ckptmatrix.worker.protocol import Alteration
from ckptmatrix.worker.words import AlterationKind

FILES = {"random_states_0.pkl": {"rng.python", "rng.torch", "step"}}
PLAIN = CellRecord(
    "w",
    "r",
    "basic",
    "accelerate",
    Treatment.AS_SAVED,
    Status.EXACT,
    {
        **dict.fromkeys(("model", "rng.python", "rng.torch", "step"), Verdict.RESTORED),
        "scaler": Verdict.ABSENT,
    },
    Resume(True, None, 6),
)


FLIPPED = Alteration(
    file="random_states_0.pkl",
    path=("torch_manual_seed",),
    kind=AlterationKind.FLIP,
    owners=("rng.torch",),
    size=5056,
    constant=False,
)


def altered(owner: str = "rng.torch", **changes: Any) -> Alteration:
    return replace(FLIPPED, owners=(owner,), **changes)


def answered(*turned: str, **changes: Any) -> CellRecord:
    components = {**PLAIN.components, **dict.fromkeys(turned, Verdict.WRONG)}
    return replace(PLAIN, status=Status.DEGRADED, components=components, **changes)


def test_the_component_it_belongs_to_is_named() -> None:
    assert fate_of(altered(), FILES, PLAIN, answered("rng.torch"))[0] == Fate.NAMED


def test_a_refused_load_is_loud() -> None:
    refused = replace(PLAIN, status=Status.FAILED, resume=None, error=ErrorRecord("E", "no"))
    assert fate_of(altered(), FILES, PLAIN, refused) == (Fate.LOUD, "E: no")


def test_a_load_that_is_refused_anyway_tells_nothing() -> None:
    refused = replace(PLAIN, status=Status.FAILED, resume=None, error=ErrorRecord("E", "no"))
    assert fate_of(altered(), FILES, refused, refused)[0] == Fate.MISSED


def test_calling_it_whole_is_a_fault() -> None:
    assert fate_of(altered(), FILES, PLAIN, PLAIN)[0] == Fate.MISSED


@pytest.mark.parametrize("turned", [("model",), ("model", "rng.torch"), ("scaler",)])
def test_naming_another_component_is_a_fault(turned: tuple[str, ...]) -> None:
    assert fate_of(altered(), FILES, PLAIN, answered(*turned))[0] == Fate.ELSEWHERE


def test_seeing_it_only_in_the_training_is_a_fault() -> None:
    differs = replace(PLAIN, resume=Resume(False, FirstDifference(1, "loss", "1", "2"), 6))
    assert fate_of(altered(), FILES, PLAIN, differs)[0] == Fate.ELSEWHERE


def test_what_is_in_no_component_must_not_touch_the_training() -> None:
    differs = replace(PLAIN, resume=Resume(False, FirstDifference(1, "loss", "1", "2"), 6))
    assert fate_of(altered("scaler"), FILES, PLAIN, differs)[0] == Fate.ELSEWHERE


def test_the_rest_of_a_file_counts_only_where_the_load_gave_up() -> None:
    both = answered("rng.python", "rng.torch")
    assert fate_of(altered("rng.python"), FILES, PLAIN, both)[0] == Fate.ELSEWHERE
    gave_up = replace(both, swallowed=(ErrorRecord("TypeError", "state"),))
    assert fate_of(altered("rng.python"), FILES, PLAIN, gave_up)[0] == Fate.SPREAD
    outside = answered("model", "rng.python", swallowed=(ErrorRecord("TypeError", "state"),))
    assert fate_of(altered("rng.python"), FILES, PLAIN, outside)[0] == Fate.ELSEWHERE


def test_a_dropped_constant_that_comes_back_is_the_same() -> None:
    dropped = altered(kind=AlterationKind.DROP, constant=True)
    assert fate_of(dropped, FILES, PLAIN, PLAIN)[0] == Fate.SAME
    assert fate_of(replace(dropped, constant=False), FILES, PLAIN, PLAIN)[0] == Fate.MISSED
    assert (
        fate_of(replace(dropped, kind=AlterationKind.FLIP), FILES, PLAIN, PLAIN)[0] == Fate.MISSED
    )


def test_what_this_reader_does_not_have_is_moot() -> None:
    assert fate_of(altered("scaler"), FILES, PLAIN, PLAIN)[0] == Fate.MOOT
    assert fate_of(altered("rng.torch@1"), FILES, PLAIN, PLAIN)[0] == Fate.MOOT
    assert fate_of(altered("scaler"), FILES, PLAIN, answered("model"))[0] == Fate.ELSEWHERE


def test_what_is_lost_without_an_alteration_is_moot() -> None:
    lost = answered("rng.torch")
    assert fate_of(altered(), FILES, lost, lost)[0] == Fate.MOOT
    assert fate_of(altered(), FILES, lost, PLAIN)[0] == Fate.MOOT
    assert fate_of(altered(), FILES, lost, answered("rng.torch", "model"))[0] == Fate.ELSEWHERE


def test_a_file_that_is_not_read_is_excused_only_where_another_is() -> None:
    stale = altered("model", file="pytorch_model.bin", path=("weight",))
    both = {**FILES, "pytorch_model.bin": {"model"}, "model.safetensors": {"model"}}
    assert fate_of(stale, both, PLAIN, PLAIN)[0] == Fate.SAME
    del both["model.safetensors"]
    assert fate_of(stale, both, PLAIN, PLAIN)[0] == Fate.MISSED


def test_only_the_very_alteration_with_a_reason_is_excused() -> None:
    version = altered("rng.python", path=("random_state", 0))
    assert fate_of(version, FILES, PLAIN, PLAIN)[0] == Fate.SAME
    for other in ({"kind": AlterationKind.DROP}, {"path": ("random_state", 1)}):
        changed = replace(version, **other)
        assert fate_of(changed, FILES, PLAIN, PLAIN)[0] == Fate.MISSED


def test_a_score_counts_fates_and_lists_faults() -> None:
    mutants = tuple(Mutant("f", (), "drop", ("model",), fate) for fate in Fate)
    found = Score("basic", "e", "accelerate", Status.EXACT, mutants)
    assert found.count(Fate.NAMED, Fate.LOUD) == 2
    assert {mutant.fate for mutant in found.faults} == {Fate.MISSED, Fate.ELSEWHERE}
