"""Provenance, prediction and outlook on real directories; the grid's ground truth among them."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.checkpoint.inspect.inspection import as_json, inspect, oddities
from ckptmatrix.checkpoint.inspect.outlook import NUMPY_STARTS, TORCH_STARTS, outlook
from ckptmatrix.checkpoint.inspect.prediction import Prediction, predict
from ckptmatrix.checkpoint.inspect.provenance import About, Observation, range_of
from ckptmatrix.knowledge import releases
from tests.support.places import BY_TRAINING_STACK, LORA

OLD, MIDDLE, NEW = (
    BY_TRAINING_STACK / name
    for name in (
        "plain-0.14.0-torch2.4-numpy1",
        "plain-0.31.0-torch2.4-numpy1",
        "plain-1.15.0-torch2.13-numpy2",
    )
)
RNG = {"rng.python", "rng.numpy", "rng.torch"}


@pytest.mark.parametrize(
    ("directory", "accelerate", "torch", "numpy"),
    [
        (OLD, "0.14.0", "2.4.1", "1.26.4"),
        (MIDDLE, "0.31.0", "2.4.1", "1.26.4"),
        (NEW, "1.15.0", "2.13.0", "2.4.1"),
        (LORA, "0.33.0", "2.4.1", "1.26.4"),
    ],
)
def test_the_true_writer_lies_in_the_range_found(
    directory: Path, accelerate: str, torch: str, numpy: str
) -> None:
    one = inspect(directory)
    true = {About.ACCELERATE: accelerate, About.TORCH: torch, About.NUMPY: numpy}
    for package, version in true.items():
        assert version in SpecifierSet(one.range(package))
        assert one.range(package)
    # A range that holds everything would be no finding.
    assert "0.6.0" not in SpecifierSet(one.range(About.ACCELERATE)) or directory == OLD


def test_contradicting_evidence_is_said() -> None:
    both = (Observation(About.TORCH, ">=2.7", "a"), Observation(About.TORCH, "<2.1", "b"))
    assert range_of(both, About.TORCH) == "contradictory"
    assert range_of((), About.TORCH) == ""


def _lost(outcome: Prediction) -> set[str]:
    return {name for name, verdict in outcome.components.items() if verdict == "lost"}


@pytest.mark.parametrize(
    ("reader", "status", "raises", "lost"),
    [
        (("0.33.0", "2.4.1", "1.26.4"), "exact", "", set()),
        (("0.33.0", "2.13.0", "1.26.4"), "failed", "KeyError: 'step'", set()),
        (("0.32.1", "2.13.0", "1.26.4"), "failed", "KeyError: 'step'", set()),
        (("0.33.0", "2.13.0", "2.4.1"), "not-run", "", set()),
        (("0.31.0", "2.4.1", "1.26.4"), "degraded", "", {"step"}),
        (("0.31.0", "2.13.0", "1.26.4"), "degraded", "", RNG | {"step"}),
        (("0.34.2", "2.13.0", "1.26.4"), "degraded", "", RNG | {"step"}),
        (("1.0.1", "2.4.1", "1.26.4"), "exact", "", set()),
        (("1.15.0", "2.13.0", "1.26.4"), "exact", "", set()),
        (("1.15.0", "2.13.0", "2.4.1"), "degraded", "", RNG | {"step"}),
        (("1.15.0", "2.4.1", "1.24.4"), "degraded", "", RNG | {"step"}),
        (("0.24.1", "2.4.1", "1.26.4"), "failed", "FileNotFoundError", set()),
        (("0.15.0", "2.4.1", "1.26.4"), "unsupported", "", set()),
    ],
)
def test_the_founding_directory_everywhere(
    reader: tuple[str, str, str], status: str, raises: str, lost: set[str]
) -> None:
    outcome = predict(gather(LORA), *reader)
    assert outcome.status == status
    assert outcome.raises.startswith(raises)
    if status == "degraded":
        assert _lost(outcome) == lost
    if status != "exact":
        assert outcome.reason


def test_what_is_loaded_before_it_raises() -> None:
    outcome = predict(gather(LORA), "0.33.0", "2.13.0", "1.26.4")
    restored = {name for name, verdict in outcome.components.items() if verdict == "restored"}
    assert {"model", "optimizer", "scheduler"} <= restored
    assert _lost(outcome) == RNG | {"step"}


def test_a_file_without_step() -> None:
    assert predict(gather(MIDDLE), "0.33.0", "2.4.1", "1.26.4").raises == "KeyError: 'step'"
    later = predict(gather(MIDDLE), "0.34.2", "2.4.1", "1.26.4")
    assert (later.status, later.components["step"]) == ("exact", "unsaved")


def test_a_scheduler_that_was_never_saved() -> None:
    facts = gather(OLD)
    assert predict(facts, "0.14.0", "2.4.1", "1.26.4").components["scheduler"] == "unsaved"
    assert predict(facts, "0.31.0", "2.4.1", "1.26.4").raises.startswith("FileNotFoundError")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("model.safetensors", "failed"),
        ("optimizer.bin", "failed"),
        ("scheduler.bin", "failed"),
        ("random_states_0.pkl", "degraded"),
        ("custom_checkpoint_0.pkl", "failed"),
    ],
)
@pytest.mark.parametrize("kept", [0, 200])
def test_damage_is_predicted(tmp_path: Path, name: str, status: str, kept: int) -> None:
    copy = Path(shutil.copytree(NEW, tmp_path / "state"))
    (copy / name).write_bytes((copy / name).read_bytes()[:kept])
    outcome = predict(gather(copy), "1.15.0", "2.13.0", "2.4.1")
    assert outcome.status == status
    assert name in outcome.reason


def test_random_states_missing_for_a_later_rank(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(NEW, tmp_path / "state"))
    shutil.copy(copy / "random_states_0.pkl", copy / "random_states_2.pkl")
    assert predict(gather(copy), "1.15.0", "2.13.0", "2.4.1").status == "degraded"


@pytest.mark.parametrize("directory", [OLD, MIDDLE, NEW, LORA])
def test_the_outlook_says_what_each_environment_would(directory: Path) -> None:
    """Each environment lies in exactly one box, and the box says the same as asking directly."""
    facts = gather(directory)
    boxes = outlook(facts)
    for release in map(str, releases.ACCELERATE.starts):
        for torch in TORCH_STARTS:
            for numpy in NUMPY_STARTS:
                pins = {"accelerate": release, "torch": torch, "numpy": numpy}
                inside = [
                    box
                    for box in boxes
                    if all(_holds(getattr(box, name), version) for name, version in pins.items())
                ]
                assert len(inside) == 1
                assert inside[0].outcome.alike(predict(facts, release, torch, numpy))


def _holds(span: object, version: str) -> bool:
    return str(span) == "any" or version in SpecifierSet(str(span))


def test_odd_ones_are_marked(tmp_path: Path) -> None:
    names = [f"x-{n:06d}-state" for n in range(1, 5)]
    for name in names:
        shutil.copytree(LORA, tmp_path / name)
    (tmp_path / names[1] / "scheduler.bin").unlink()
    broken = tmp_path / names[2] / "optimizer.bin"
    broken.write_bytes(broken.read_bytes()[:100])
    odd = oddities([inspect(tmp_path / name) for name in names])
    assert set(odd) == {str(tmp_path / names[1]), str(tmp_path / names[2])}
    assert "lacks scheduler.bin" in odd[str(tmp_path / names[1])]
    assert "optimizer.bin" in odd[str(tmp_path / names[2])]


def test_counters_and_where_they_live() -> None:
    counters = {(c.file, c.name): c.value for c in inspect(LORA).counters}
    assert counters[("random_states_0.pkl", "step")] == 360
    assert counters[("train_state.json", "current_step")] == 360
    assert counters[("scheduler.bin", "last_epoch")] == 4
    assert counters[("lora-000030-state", "name")] == 30


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    directory=st.sampled_from([OLD, NEW, LORA]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), max_size=12),
    data=st.data(),
)
def test_any_damage_to_a_directory_still_gets_an_answer(
    tmp_path_factory: pytest.TempPathFactory,
    directory: Path,
    changes: list[tuple[float, bytes]],
    data: st.DataObject,
) -> None:
    copy = tmp_path_factory.mktemp("state") / "state"
    shutil.copytree(directory, copy)
    file = data.draw(st.sampled_from(sorted(copy.iterdir())))
    content = bytearray(file.read_bytes())
    for place, new in changes:
        at = int(place * len(content))
        content[at : at + len(new)] = new
    file.write_bytes(content)
    one = inspect(copy)
    as_json(one)
    assert one.outlook
