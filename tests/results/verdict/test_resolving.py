"""Which environments stand for what a person asks about."""

from dataclasses import replace

import pytest

from ckptmatrix.errors import NotMeasuredError, UsageError
from ckptmatrix.model import Environment, Matrix, Status
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.verdict.asked import Asked
from ckptmatrix.results.verdict.resolving import check_names, environments_of, question_of
from tests.support import synthetic

MATRIX = synthetic.matrix()
INDEX = LoadIndex(MATRIX)
STACK = "torch2.15-np2"


def ids(stack: str, *releases: str) -> tuple[str, ...]:
    return tuple(Environment(release, stack).id for release in releases)


def ends(old: Asked, new: Asked, index: LoadIndex = INDEX) -> tuple[str, str]:
    return environments_of(index, old, new).ends


@pytest.mark.parametrize("typed", ["0.33", "0.33.0", "v0.33", "V0.33.0", " 0.33.0 "])
def test_a_version_is_what_it_means_however_it_is_typed(typed: str) -> None:
    stack = "torch2.4-np1"
    question = environments_of(INDEX, Asked(typed, stack=stack), Asked("1.15", stack=stack))
    assert question.ends == ids(stack, "0.33.0", "1.15.0")
    assert question.notes == ()
    assert not question.approximate


def test_torch_and_numpy_name_a_stack_and_the_other_side_is_on_it_unless_it_names_its_own() -> None:
    there = Asked("1.14", torch="2.13", numpy="1")
    assert ends(there, Asked("1.15")) == ids("torch2.15-np1", "1.14.0", "1.15.0")
    assert ends(Asked("1.14"), Asked("1.15", torch="2.4")) == ids(
        "torch2.4-np1", "1.14.0", "1.15.0"
    )
    assert ends(there, Asked("1.15", torch="2.13", numpy="2")) == (
        *ids("torch2.15-np1", "1.14.0"),
        *ids(STACK, "1.15.0"),
    )
    # torch alone leaves two stacks: the newest one on which the release resumes its own.
    assert ends(Asked("1.14", torch="2.13"), Asked("1.15"))[0] == ids(STACK, "1.14.0")[0]
    assert ends(Asked("0.33", torch="2.13"), Asked("1.15"))[0] == ids("torch2.15-np1", "0.33.0")[0]


def test_a_stack_that_is_given_is_not_exchanged_for_another() -> None:
    for side in (Asked("0.33.0", stack=STACK), Asked("0.33.0", torch="2.13", numpy="2")):
        with pytest.raises(NotMeasuredError, match=r"asks for numpy<2\.0\.0 itself") as caught:
            ends(side, Asked("1.15.0", stack=STACK))
        assert caught.value.remedy == "it was run on torch2.4-np1, torch2.15-np1"


def test_without_a_stack_it_is_one_on_which_the_old_release_resumes_its_own_checkpoints() -> None:
    # 0.33.0 could be installed on the new torch, and raises on whatever it saved there.
    assert ends(Asked("0.33.0"), Asked("1.15.0")) == ids("torch2.4-np1", "0.33.0", "1.15.0")
    assert ends(Asked("1.14.0"), Asked("1.15.0")) == ids(STACK, "1.14.0", "1.15.0")


def test_without_a_stack_and_none_that_is_good_it_is_the_least_bad() -> None:
    cells = tuple(
        replace(c, status=Status.FAILED) if "torch2.4" in c.reader else c for c in MATRIX.cells
    )
    found = ends(Asked("0.31.0"), Asked("1.15.0"), LoadIndex(replace(MATRIX, cells=cells)))
    assert found == ids(STACK, "0.31.0", "1.15.0")


def test_what_stands_for_another_version_is_said_with_the_command_that_measures_it() -> None:
    question = environments_of(
        INDEX, Asked("1.10", torch="2.4"), Asked("1.15", torch="2.6", numpy="2")
    )
    assert question.ends == (*ids("torch2.4-np1", "1.8.1"), *ids(STACK, "1.15.0"))
    assert question.notes == (
        "accelerate 1.10: not measured; nearest 1.8.1, which behaves as 1.14.0 does",
        "torch 2.4: measured with 2.4.1",
        "torch 2.6: not measured; nearest 2.15.0, the same side of the border at 2.6",
        "numpy 2: measured with 2.4.6",
    )
    assert question.approximate
    assert question.measure == (
        'ckptmatrix check --from "accelerate==1.10 torch==2.4" '
        '--to "accelerate==1.15 torch==2.6 numpy==2"'
    )


def test_a_version_between_two_that_differ_is_not_measured() -> None:
    with pytest.raises(NotMeasuredError) as caught:
        ends(Asked("1.5", torch="2.5"), Asked("1.15", torch="2.5"))
    assert caught.value.message == (
        "accelerate 1.5: not measured: between 1.4.0 and 1.8.1, which write differently; "
        "torch 2.5: not measured: between 2.4.1 and 2.15.0, which load differently"
    )
    assert caught.value.remedy.startswith(
        'measure it with `ckptmatrix check --from "accelerate==1.5 torch==2.5" '
        '--to "accelerate==1.15 torch==2.5"`; tested are 0.14.0, '
    )


def test_versions_that_no_stack_has_together_are_not_measured() -> None:
    question = question_of(INDEX, Asked("1.14"), Asked("1.15", torch="2.4", numpy="2"))
    assert question.ends == ("", "")
    assert question.why == (
        "torch 2.4.1 and numpy 2.4.6 were not measured together; measured are torch 2.4.1, numpy "
        "1.26.4; torch 2.15.0, numpy 1.26.4; torch 2.15.0, numpy 2.4.6",
    )


def test_the_command_that_measures_names_what_a_given_stack_holds() -> None:
    question = question_of(INDEX, Asked("1.5", stack="torch2.4-np1"), Asked("1.15", stack=STACK))
    assert question.measure == (
        'ckptmatrix check --from "accelerate==1.5 torch==2.4.1 numpy==1.26.4" '
        '--to "accelerate==1.15 torch==2.15.0 numpy==2.4.6"'
    )


def test_names_that_are_not_there_are_refused_with_what_was_probably_meant() -> None:
    with pytest.raises(UsageError, match="no stack 'torch2-13-np2'") as wrong:
        check_names(INDEX, ("torch2-13-np2",), ())
    assert wrong.value.remedy.startswith("did you mean 'torch2.15-np2'? it has torch2.4-np1")
    with pytest.raises(UsageError, match="no scenario 'Basics'") as wrong:
        check_names(INDEX, (), ("Basics",))
    assert wrong.value.remedy.startswith("did you mean 'basic'?")


def test_names_are_checked_before_any_load_is_looked_at() -> None:
    class Unreadable(tuple[object, ...]):
        def __iter__(self) -> None:  # type: ignore[override]
            raise AssertionError("a cell was looked at")

    untouched: Matrix = replace(MATRIX, cells=Unreadable())  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        check_names(LoadIndex(untouched), ("torch9",), ())
    check_names(LoadIndex(untouched), (STACK,), ("basic",))
