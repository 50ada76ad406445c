"""The verdict over the committed sample: two cases by name, and rules that hold for every pair."""

from collections.abc import Iterator
from itertools import product

import pytest

from ckptmatrix.model import EnvironmentStatus
from ckptmatrix.results.verdict import sentences
from ckptmatrix.results.verdict.choices import ALL_AT_ONCE, ChoiceKind
from ckptmatrix.results.verdict.console import lines
from ckptmatrix.results.verdict.crossing import cross
from ckptmatrix.results.verdict.staying import Against
from ckptmatrix.results.verdict.upgrade import Headline, Upgrade, judge
from tests.results.verdict import sample

pytestmark = pytest.mark.xdist_group("sample")


@pytest.fixture(scope="module")
def every() -> list[Upgrade]:
    """The verdict on every pair of environments that could be built, over all scenarios."""
    index = sample.index()
    records = index.matrix.environments
    ready = [id_ for id_, one in records.items() if one.status is EnvironmentStatus.READY]
    return [judge(index, old, new) for old, new in product(ready, ready)]


def test_the_commonest_upgrade_makes_nothing_worse() -> None:
    old, new = (sample.id_(release, 2) for release in sample.COMMON)
    upgrade = judge(sample.index(), old, new)
    forward = upgrade.forward
    assert sentences.headline(upgrade) == "Go. Nothing gets worse."
    assert upgrade.headline.exit_code == 0
    assert len(forward.measured) == sample.COMMON_MEASURED
    assert forward.worse == ()
    assert forward.of(Against.BETTER) == sample.COMMON_BETTER
    assert len(forward.of(Against.NOT_MEASURED)) == sample.COMMON_NOT_MEASURED
    assert len(forward.as_before) == sample.COMMON_NOT_WHOLE_BEFORE
    same = sample.COMMON_MEASURED - len(sample.COMMON_BETTER)
    assert sentences.counts(forward) == (
        f"{sample.COMMON_MEASURED} measured: 0 worse, 1 better ({sample.COMMON_BETTER[0]}), "
        f"{same} the same; {sample.COMMON_NOT_MEASURED} not measured"
    )


def test_the_founding_case_may_go_if_something_is_done_first() -> None:
    old, new = sample.id_(sample.FOUNDING[0], 0), sample.id_(sample.FOUNDING[1], 2)
    upgrade = judge(sample.index(), old, new, [sample.FOUNDING_SCENARIO])
    assert upgrade.headline is Headline.GO_IF
    assert upgrade.headline.exit_code == 1
    assert sentences.comes_back(upgrade.forward) == (
        "weights",
        "optimizer, scaler and schedule",
        "the script's own objects",
    )
    assert sentences.is_lost(upgrade.forward) == (
        "random states (rng.numpy, rng.python, rng.torch)",
    )
    assert list(upgrade.forward.causes) == ["numpy-major"]
    records = sample.index().matrix.environments
    kept = records[sample.id_(sample.FOUNDING[1], 1)]
    whole = records[new]

    def pip(torch: str, numpy: str) -> str:
        torch = torch.partition("+")[0]
        return f"pip install accelerate=={sample.FOUNDING[1]} torch=={torch} numpy=={numpy}"

    of = sample.FOUNDING_MEASURED
    table = [
        (one.title, one.copy, sentences.outcome(one), len(one.everything.worse))
        for one in upgrade.choices
    ]
    assert table == [
        (
            f"Keep numpy {kept.numpy} for now",
            pip(kept.torch, kept.numpy),
            "resumes exactly",
            len(sample.FOUNDING_WORSE_WITH_NUMPY_KEPT),
        ),
        (
            "Repair the checkpoint once",
            "ckptmatrix repair DIRECTORY REPAIRED",
            "resumes exactly",
            0,
        ),
        (
            "Load with ckptmatrix.resume",
            "from ckptmatrix.resume import load_state; load_state(accelerator, DIRECTORY)",
            "resumes exactly",
            0,
        ),
        (
            ALL_AT_ONCE,
            pip(whole.torch, whole.numpy),
            "loses rng.numpy, rng.python, rng.torch",
            sample.FOUNDING_WORSE,
        ),
    ]
    assert {len(one.everything.measured) for one in upgrade.choices} == {of}
    assert upgrade.choices[0].everything.worse == sample.FOUNDING_WORSE_WITH_NUMPY_KEPT
    assert sentences.way_back(upgrade) == "resumes exactly"
    told = "\n".join(lines(upgrade))
    assert told.startswith(f"Go, if you do this first: keep numpy {kept.numpy} for now.\n")
    assert f"of all trainings: 2 of {of} (numpy-lr, scheduler-numpy)" in told


def test_no_scenario_stands_under_two_kinds_at_once(every: list[Upgrade]) -> None:
    for upgrade in every:
        forward = upgrade.forward
        kinds = [forward.of(kind) for kind in Against]
        assert sorted(name for kind in kinds for name in kind) == sorted(upgrade.scenarios)
        assert not set(forward.as_before) & set(forward.worse)
        # "Not its doing" is only what staying does not resume either.
        stays = cross(sample.index(), forward.writer, forward.writer, forward.as_before)
        assert not stays.exact


def test_the_headline_follows_from_the_counts(every: list[Upgrade]) -> None:
    for upgrade in every:
        forward = upgrade.forward
        headline = upgrade.headline
        assert (headline is Headline.GO) == bool(forward.measured and not forward.worse)
        assert (headline is Headline.NOT_MEASURED) == (not forward.measured)
        measured = {one.scenario for one in forward.measured}
        helped = any(measured <= set(one.chosen.no_worse) for one in upgrade.choices)
        if headline is Headline.GO_IF:
            assert upgrade.first is not None
            assert helped
        if headline is Headline.DONT:
            assert not helped
    assert {upgrade.headline for upgrade in every} >= {Headline.GO, Headline.GO_IF, Headline.DONT}


def test_going_nowhere_makes_nothing_worse_or_better(every: list[Upgrade]) -> None:
    still = [one for one in every if one.forward.writer == one.forward.reader]
    assert len(still) ** 2 == len(every)
    for upgrade in still:
        assert upgrade.headline is Headline.GO
        assert upgrade.forward.of(Against.BETTER, Against.OTHER, Against.WORSE) == ()


def test_what_comes_back_and_what_is_newly_lost_never_overlap(every: list[Upgrade]) -> None:
    for upgrade in every:
        for one in upgrade.forward.judged:
            assert not set(one.restored) & set(one.lost)
            assert set(one.newly_lost) <= set(one.lost)
            assert not (one.raised and (one.lost or one.restored))
            assert bool(one.newly_lost or one.raised or one.drifts) or (
                one.against is not Against.WORSE
            )


def test_a_choice_is_listed_only_if_it_leaves_less_and_is_what_was_measured(
    every: list[Upgrade],
) -> None:
    for upgrade in every:
        if not upgrade.choices:
            continue
        *others, all_at_once = upgrade.choices
        assert all_at_once.kind is ChoiceKind.ALL_AT_ONCE
        assert all_at_once.leaves == upgrade.forward.worse
        for choice in others:
            assert choice.chosen.writer == upgrade.forward.writer
            if choice.kind is ChoiceKind.KEEP:
                assert len(choice.leaves) < len(all_at_once.leaves)
                assert _between(choice.chosen.reader, upgrade)
            else:
                assert choice.chosen.reader == upgrade.forward.reader
                assert len(choice.leaves) <= len(all_at_once.leaves)
        assert len(set(_places(upgrade))) == len(upgrade.choices)


def _places(upgrade: Upgrade) -> Iterator[tuple[str, object]]:
    for choice in upgrade.choices:
        yield choice.chosen.reader, choice.chosen.view


def _between(id_: str, upgrade: Upgrade) -> bool:
    """Whether everything of an environment is as in one of the two ends."""
    records = upgrade.matrix.environments
    ends = records[upgrade.forward.writer], records[upgrade.forward.reader]
    here = records[id_]

    def version(record: object, name: str) -> str:
        return str(getattr(record, name)).partition("+")[0]

    return all(
        version(here, name) in {version(end, name) for end in ends}
        for name in ("accelerate", "torch", "numpy", "safetensors")
    )
