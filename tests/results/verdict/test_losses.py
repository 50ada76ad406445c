"""What comes back and what is lost, group by group."""

from dataclasses import replace

from ckptmatrix.model import CellRecord, Verdict
from ckptmatrix.model.severity import Severity, by_severity, severity_of
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.verdict.crossing import Crossing, cross
from ckptmatrix.results.verdict.losses import fates_of
from ckptmatrix.results.verdict.sentences import comes_back, is_lost
from tests.support.cells import cell
from tests.support.runs import run_of

OLD, NEW = "0.33.0+torch2.4-np1", "1.15.0+torch2.4-np1"


def test_groups_stand_in_one_order_and_a_rank_is_in_the_group_of_its_component() -> None:
    assert [str(one) for one in Severity] == [
        "weights",
        "optimizer, scaler and schedule",
        "place in the data and step",
        "random states",
        "the script's own objects",
    ]
    assert severity_of("rng.torch@1") is Severity.RANDOM
    assert severity_of("prior_loss_weight") is Severity.OWN
    assert list(by_severity(["custom", "rng.numpy", "model", "scheduler"])) == [
        Severity.WEIGHTS,
        Severity.TRAINING,
        Severity.RANDOM,
        Severity.OWN,
    ]


def crossing(*pairs: tuple[CellRecord, CellRecord]) -> Crossing:
    """Scenarios `a`, `b`, ... with the load that stays and the one that is new."""
    names = "abcdefgh"[: len(pairs)]
    cells = [
        replace(one, reader=f"accelerate-{reader}", scenario=name)
        for name, pair in zip(names, pairs, strict=True)
        for one, reader in zip(pair, (OLD, NEW), strict=True)
    ]
    return cross(LoadIndex(run_of(*cells)), f"accelerate-{OLD}", f"accelerate-{NEW}", tuple(names))


def has(*components: str, lost: tuple[str, ...] = (), **more: str) -> CellRecord:
    verdicts = dict.fromkeys(components, Verdict.RESTORED) | dict.fromkeys(lost, Verdict.LOST)
    made = cell(status="degraded" if lost else "exact", **more)  # type: ignore[arg-type]
    return replace(made, components=verdicts)


FAILS = cell(status="failed", error="KeyError: 'step'")


def test_a_group_comes_back_in_as_many_scenarios_as_it_does() -> None:
    """One of three that loses the model does not hide that two bring it back."""
    whole = has("model", "optimizer")
    found = crossing(
        (whole, whole), (whole, whole), (whole, has("model", "optimizer", lost=("model",)))
    )
    assert comes_back(found) == ("weights in 2 of 3", "optimizer, scaler and schedule in all 3")
    assert is_lost(found) == ("weights (model) in c",)


def test_a_group_of_which_a_part_is_lost_does_not_come_back() -> None:
    whole = has("optimizer", "scheduler")
    found = crossing((whole, whole), (whole, has("optimizer", "scheduler", lost=("scheduler",))))
    assert comes_back(found) == ("optimizer, scaler and schedule in 1 of 2",)


def test_what_only_the_one_load_that_returned_brought_back_is_not_said_to_come_back() -> None:
    whole = has("model", "step")
    found = crossing((whole, whole), (whole, FAILS), (whole, FAILS))
    assert comes_back(found) == ("weights in 1 of 3", "place in the data and step in 1 of 3")


def test_what_staying_loses_as_well_is_not_lost_by_the_change() -> None:
    before = has("model", "step", "rng.numpy", lost=("step",))
    after = has("model", "step", "rng.numpy", lost=("step", "rng.numpy"))
    found = crossing((before, after))
    assert is_lost(found) == ("random states (rng.numpy)",)
    assert found.judged[0].lost == ("rng.numpy", "step")


def test_the_ranks_of_a_component_are_told_as_one() -> None:
    whole = has("rng.numpy", "rng.numpy@1")
    one = has("rng.numpy", "rng.numpy@1", lost=("rng.numpy@1",))
    both = has("rng.numpy", "rng.numpy@1", lost=("rng.numpy", "rng.numpy@1"))
    assert is_lost(crossing((whole, one), (whole, both))) == (
        "random states (rng.numpy) in every scenario measured",
    )


def test_what_was_never_saved_is_neither_back_nor_lost() -> None:
    never = replace(has("model"), components={"model": Verdict.RESTORED, "step": Verdict.UNSAVED})
    weights, place = fates_of(crossing((never, never)))
    assert (weights.severity, weights.back) == (Severity.WEIGHTS, ("a",))
    assert (place.severity, place.of, place.unsaved) == (Severity.PLACE, (), ("step",))
