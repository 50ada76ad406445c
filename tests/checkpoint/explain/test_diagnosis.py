"""From a text to the cause: what speaks for and against each."""

from pathlib import Path

from ckptmatrix.checkpoint.explain.catalogue import catalogue
from ckptmatrix.checkpoint.explain.diagnosis import diagnose
from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.knowledge.causes import CauseId
from tests.support.places import BY_TRAINING_STACK

EXAMPLES = Path(__file__).parent / "examples"


def _example(name: str) -> str:
    return next(EXAMPLES.glob(f"{name}--*.txt")).read_text()


def _titles(found, verdict):
    return [w.cause.title for w in found.causes if w.verdict == verdict]


def test_founding_case_is_0_33_0_and_no_other():
    first = diagnose(_example("step-keyerror/founding"))[0]
    assert first.releases == ("0.33.0",)
    assert first.modes == ("step-keyerror",)
    assert len(first.causes) == 3


def test_versions_rule_causes_out_and_leave_the_remedy():
    text = _example("random-states-not-loaded/random_loads")
    new = diagnose(text, {"accelerate": "1.15.0", "torch": "2.13.0", "numpy": "2.4.1"})[0]
    assert "a false alarm" in " ".join(_titles(new, "ruled out"))
    assert any("major version differs" in title for title in _titles(new, "possible"))
    old = diagnose(text, {"accelerate": "0.31.0", "torch": "2.4.1"})[0]
    assert any("refuses numpy" in title for title in _titles(old, "ruled out"))


def test_pip_freeze_in_the_same_text_counts():
    text = (
        _example("step-keyerror/founding") + "\naccelerate==0.33.0\ntorch==2.5.1\nnumpy==1.26.4\n"
    )
    first = diagnose(text)[0]
    assert any("torch 2.6" in title for title in _titles(first, "ruled out"))


def test_the_inner_exception_shows_the_cause():
    text = (
        _example("step-keyerror/founding")
        + "\nWeightsUnpickler error: Unsupported global: GLOBAL numpy.core\n"
    )
    first = diagnose(text)[0]
    assert _titles(first, "shown") == ["torch 2.6 or newer refuses to unpickle the random states"]
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" in first.remedy


def test_a_later_rank_means_its_file_is_missing():
    first = diagnose(_example("step-keyerror/ranks"))[0]
    assert first.failure.rank == 1
    assert "this process is missing" in _titles(first, "shown")[0]


def test_log_with_an_info_line_only():
    log = "step 10 loss 0.3\nINFO:accelerate.checkpointing:Could not load random states\nstep 11\n"
    (only,) = diagnose(log)
    assert only.failure is None
    assert only.modes == ("random-states-not-loaded",)
    assert only.line.endswith("Could not load random states")


def test_the_checkpoint_itself_tells_the_causes_apart():
    text = _example("step-keyerror/founding")
    sound = diagnose(text, facts=gather(BY_TRAINING_STACK / "lora-000030-state"))[0]
    assert _titles(sound, "shown") == ["torch 2.6 or newer refuses to unpickle the random states"]
    assert len(_titles(sound, "ruled out")) == 2
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" in sound.remedy
    old = diagnose(
        text, {"torch": "2.4.1"}, gather(BY_TRAINING_STACK / "plain-0.31.0-torch2.4-numpy1")
    )[0]
    assert _titles(old, "shown") == [
        "the file was written by an accelerate before 0.32, which saved no step"
    ]


def test_causes_name_what_is_predicted():
    """Every word that ties a cause to a prediction is one that a prediction can say."""
    for mode in catalogue().values():
        for cause in mode.cause:
            assert {word for word in cause.foretold if word != "exact"} <= set(CauseId)


def test_unknown_failure_is_said_to_be_unknown():
    text = (
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nFooError: bar\n'
    )
    (only,) = diagnose(text)
    assert only.failure.type == "FooError"
    assert only.modes == ()
    assert only.causes == ()
    assert only.remedy == ""


def test_nothing_in_the_text():
    assert diagnose("all went well\nepoch 3 of 10\n") == ()


def test_an_edited_file_fits_no_release():
    text = (
        "Traceback (most recent call last):\n"
        '  File "/x/accelerate/accelerator.py", line 3156, in load_state\n'
        "    self.step = 5800\nKeyError: 'step'\n"
    )
    first = diagnose(text)[0]
    assert first.releases == ()
    assert first.located[0].match.by == "none"
