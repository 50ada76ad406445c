"""From a text to the cause: what speaks for and against each, what comes first, what is unknown."""

import pytest

from ckptmatrix.checkpoint.explain.answers import Answer, Diagnosis
from ckptmatrix.checkpoint.explain.diagnosis import diagnose
from ckptmatrix.checkpoint.explain.weighing import Likelihood
from ckptmatrix.checkpoint.inspect.gathering import gather
from tests.checkpoint.explain.corpus import HERE
from tests.support.places import BY_TRAINING_STACK


def _example(name: str) -> str:
    return next(HERE.glob(f"examples/{name}--*.txt")).read_text()


def _ids(found: Diagnosis, verdict: str) -> list[str]:
    return [w.cause.id for w in found.causes if w.verdict is verdict]


def test_founding_case_is_0_33_0_and_no_other() -> None:
    first = diagnose(_example("step-keyerror/founding"))[0]
    assert first.origin.releases == ("0.33.0",)
    assert first.modes == ("step-keyerror",)
    assert len(first.causes) == 3


def test_versions_rule_causes_out_and_leave_the_remedy() -> None:
    text = _example("random-states-not-loaded/random_loads")
    new = diagnose(text, {"accelerate": "1.15.0", "torch": "2.13.0", "numpy": "2.4.1"})[0]
    assert "false-alarm" in _ids(new, Likelihood.RULED_OUT)
    assert "numpy-major" in _ids(new, Likelihood.POSSIBLE)
    old = diagnose(text, {"accelerate": "0.31.0", "torch": "2.4.1"})[0]
    assert "refused-by-torch" in _ids(old, Likelihood.RULED_OUT)


@pytest.mark.parametrize(
    ("versions", "cause"),
    [
        ({"accelerate": "1.4.0", "torch": "2.6.0", "numpy": "1.23.5"}, "numpy-too-old"),
        ({"accelerate": "1.0.1", "torch": "2.6.0"}, "refused-by-torch"),
        ({"accelerate": "0.31.0", "torch": "2.13.0", "numpy": "1.23.5"}, "refused-by-torch"),
    ],
)
def test_a_cause_that_versions_alone_decide_is_certain(
    versions: dict[str, str], cause: str
) -> None:
    (only,) = diagnose("Could not load random states\n", versions)
    assert _ids(only, Likelihood.SHOWN) == [cause]
    assert _ids(only, Likelihood.POSSIBLE) == []
    assert only.command


def test_several_versions_of_a_package_decide_nothing() -> None:
    text = "torch==2.4.1\ntorch==2.6.0\naccelerate==1.0.1\nCould not load random states\n"
    (only,) = diagnose(text)
    assert "refused-by-torch" in _ids(only, Likelihood.POSSIBLE)


def test_a_mode_whose_every_cause_is_ruled_out_is_excluded() -> None:
    text = "KeyError: 'torch_cuda_manual_seed'\naccelerate==1.4.0\n"
    (only,) = diagnose(text)
    assert only.answer is Answer.EXCLUDED
    assert only.decided is None
    assert diagnose(text, {"accelerate": "0.13.2"})[0].answer is Answer.KNOWN


def test_pip_freeze_in_the_same_text_counts() -> None:
    text = (
        _example("step-keyerror/founding") + "\naccelerate==0.33.0\ntorch==2.5.1\nnumpy==1.26.4\n"
    )
    assert "refused-by-torch" in _ids(diagnose(text)[0], Likelihood.RULED_OUT)


def test_frames_overrule_what_the_text_says_of_the_release() -> None:
    text = _example("step-keyerror/founding") + "\naccelerate==1.4.0\n"
    assert diagnose(text)[0].known["accelerate"] == ("0.33.0",)
    assert diagnose(text, {"accelerate": "1.4.0"})[0].answer is Answer.EXCLUDED


def test_the_inner_exception_shows_the_cause() -> None:
    text = (
        _example("step-keyerror/founding")
        + "\nWeightsUnpickler error: Unsupported global: GLOBAL numpy.core\n"
    )
    first = diagnose(text)[0]
    assert _ids(first, Likelihood.SHOWN) == ["refused-by-torch"]
    assert first.command == "export TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1"


def test_the_name_in_the_message_is_in_the_remedy() -> None:
    text = (
        "_pickle.UnpicklingError: Weights only load failed. WeightsUnpickler error: "
        "Unsupported global: GLOBAL my_module.Ema was not an allowed global by default.\n"
    )
    (only,) = diagnose(text)
    assert only.title == "Weights only load failed: torch refuses my_module.Ema"
    assert only.command == "torch.serialization.add_safe_globals([my_module.Ema])"


def test_a_message_that_shows_one_cause_rules_those_out_that_read_otherwise() -> None:
    (only,) = diagnose("_pickle.UnpicklingError: invalid load key, 'v'.\n")
    assert _ids(only, Likelihood.SHOWN) == ["lfs-pointer"]
    assert "web-page" in _ids(only, Likelihood.RULED_OUT)


def test_a_later_rank_means_its_file_is_missing() -> None:
    first = diagnose(_example("step-keyerror/ranks"))[0]
    assert first.failure
    assert first.failure.rank == 1
    assert _ids(first, Likelihood.SHOWN) == ["file-missing"]


def test_log_with_an_info_line_only() -> None:
    log = "step 10 loss 0.3\nINFO:accelerate.checkpointing:Could not load random states\nstep 11\n"
    (only,) = diagnose(log)
    assert only.failure is None
    assert only.modes == ("random-states-not-loaded",)
    assert only.line.endswith("Could not load random states")


def test_the_checkpoint_itself_tells_the_causes_apart() -> None:
    text = _example("step-keyerror/founding")
    directory = BY_TRAINING_STACK / "lora-000030-state"
    sound = diagnose(text, facts=gather(directory))[0]
    assert _ids(sound, Likelihood.SHOWN) == ["refused-by-torch"]
    assert len(_ids(sound, Likelihood.RULED_OUT)) == 2
    old = diagnose(
        text, {"torch": "2.4.1"}, gather(BY_TRAINING_STACK / "plain-0.31.0-torch2.4-numpy1")
    )[0]
    assert _ids(old, Likelihood.SHOWN) == ["no-step-in-file"]
    assert "plain-0.31.0-torch2.4-numpy1" in old.command


def test_the_directory_of_the_log_is_in_the_command_and_quoted() -> None:
    text = "INFO Loading states from out dir/$(x)-state\nFileNotFoundError: 'x/scaler.pt'\n"
    first = diagnose("KeyError: 'foo'\n" + text)[0]
    assert first.directory == "'out dir/$(x)-state'"


ECHO = """Traceback (most recent call last):
  File "/env/site-packages/accelerate/commands/launch.py", line 637, in simple_launcher
    raise subprocess.CalledProcessError(returncode=process.returncode, cmd=cmd)
subprocess.CalledProcessError: Command '[x]' returned non-zero exit status 3221225477.
"""


def test_the_report_of_a_launcher_steps_back() -> None:
    first, *others = diagnose("KeyError: 'exp_avg'\n" + ECHO)
    assert first.modes == ("optimizer-class",)
    assert others == []
    (unknown,) = diagnose("FooError: bar\n" + ECHO)
    assert unknown.failure
    assert unknown.failure.type == "FooError"


def test_the_report_of_a_launcher_alone_is_one() -> None:
    (only,) = diagnose(ECHO)
    assert only.answer is Answer.ECHO
    assert only.echo
    assert only.echo.meaning.startswith("access violation")


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("exitcode  : -9 (pid: 3)", "memory"),
        ("exit status 137", "memory"),
        ("exit status -11", "segm"),
    ],
)
def test_exit_statuses_are_told(status: str, word: str) -> None:
    (only,) = diagnose(f"torch.distributed.elastic.ChildFailedError:\n  {status}\n")
    assert only.echo
    assert word in only.echo.meaning


def test_the_cause_of_a_chain_is_the_failure_and_the_chain_is_whole() -> None:
    text = (
        "FileNotFoundError: [Errno 2] No such file or directory: '/c/x_0/.metadata'\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        "torch.distributed.checkpoint.api.CheckpointException: CheckpointException ranks: [8]\n"
    )
    (only,) = diagnose(text)
    assert only.failure
    assert only.failure.type == "FileNotFoundError"
    assert [failure.name for failure in only.chain] == ["FileNotFoundError", "CheckpointException"]


def test_noise_never_stands_before_a_failure() -> None:
    warning = "FutureWarning: You are using `torch.load` with `weights_only=False` (the default)\n"
    first, second = diagnose(f"{warning}FooError: bar\n")
    assert first.answer is Answer.UNKNOWN
    assert second.modes == ("weights-only-warning",)


def test_without_frames_what_they_would_tell_is_asked_for() -> None:
    (only,) = diagnose("KeyError: 'step'\n")
    assert only.answer is Answer.UNDECIDED
    assert set(only.candidates) == {"optimizer-class", "step-keyerror"}


def test_unknown_failure_is_said_to_be_unknown() -> None:
    text = (
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nFooError: bar\n'
    )
    (only,) = diagnose(text)
    assert only.failure
    assert only.failure.type == "FooError"
    assert (only.modes, only.causes, only.remedy, only.command) == ((), (), "", "")


FRAME = '  File "/env/site-packages/{}", line 1, in {}\n    {}\n'


@pytest.mark.parametrize(
    ("frame", "phase", "loaded"),
    [
        (("accelerate/accelerator.py", "save_state", "save()"), "saving", "incomplete"),
        (("accelerate/accelerator.py", "prepare", "x"), "building model, optimizer and data",
         "Nothing is loaded yet"),
        (("safetensors/torch.py", "load_model", "x"), "loading the model", "Nothing else"),
        (("torch/optim/optimizer.py", "load_state_dict", "x"), "loading the optimizer",
         ": the model;"),
        (("accelerate/scheduler.py", "load_state_dict", "x"), "loading the scheduler",
         "the optimizer;"),
        (("torch/random.py", "set_rng_state", "x"), "loading the random states",
         "scaler; not yet registered"),
        (("accelerate/checkpointing.py", "load_custom_state", "x"), "loading registered objects",
         "random states."),
        (("accelerate/accelerator.py", "load_state", "x"), "loading", "not shown"),
        (("accelerate/optimizer.py", "step", "x"), "training", "had returned"),
    ],
)  # fmt: skip
def test_where_an_unknown_failure_was_and_what_is_loaded_by_then(
    frame: str, phase: str, loaded: str
) -> None:
    text = f"Traceback (most recent call last):\n{FRAME.format(*frame)}FooError: bar\n"
    (only,) = diagnose(text)
    assert only.answer is Answer.UNKNOWN
    assert only.whereabouts
    assert only.whereabouts.phase == phase
    assert loaded in only.whereabouts.loaded
    assert only.command


def test_nothing_in_the_text() -> None:
    assert diagnose("all went well\nepoch 3 of 10\n") == ()


def test_frames_that_end_before_the_one_that_raised_are_not_taken_for_it() -> None:
    """The rest was cut off: what load_state called raised, and load_state did not."""
    frame = FRAME.format(
        "accelerate/accelerator.py", "load_state", "override_attributes = load_accelerator_state("
    )
    (only,) = diagnose(f"Traceback (most recent call last):\n{frame}KeyError: 'step'\n")
    assert only.modes == ()
