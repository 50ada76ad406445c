"""The wire between host and worker: what is sent arrives as it was, and nothing else is taken."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
import uv

from ckptmatrix import model
from ckptmatrix.worker import protocol, words
from ckptmatrix.worker.measured import Difference, FirstDifference, Measured, Raised, Resume
from ckptmatrix.worker.protocol import (
    Alteration,
    Alterations,
    AnyRequest,
    Case,
    Control,
    Gpu,
    GpuCost,
    Hello,
    Introduction,
    Load,
    LoadAltered,
    NotReturned,
    Reference,
    Request,
    Returned,
    Saved,
    SaveFailed,
    Unsupported,
    Weigh,
    Write,
    answer_line,
    answer_type,
    question_line,
    read_answer,
    read_question,
)
from ckptmatrix.worker.stand_in import StandIn, read_stand_in
from ckptmatrix.worker.wire import WireError, decode, encode
from ckptmatrix.worker.words import (
    AlterationKind,
    ControlKind,
    Device,
    Ending,
    GpuProblem,
    Verdict,
    Word,
)
from tests.support.places import ROOT

CASE = Case("m:S", Device.CPU, "/c/checkpoint", "/c/truth", "d1", {"step": (), "model": ("/0/w",)})
FLIP = Alteration("a.bin", ("state", 0), AlterationKind.FLIP, ("optimizer",), 8, constant=False)
TRACE = ({"loss": "0x1p-1", "samples": [1, 2]}, {"loss": "0x1p-2", "synced": True})
HELLO = Hello(Device.CUDA, ("torch", "numpy"), rehearse=True)
WRITE = Write("m:S", Device.CPU, "/c")
LOAD = Load(CASE, "m:load")
OLD = Gpu("Some GPU", GpuProblem.DRIVER_TOO_OLD, "the driver is for CUDA 11.4")
INTRODUCTION = Introduction("1.1.0", "3.11.7", "2.4.1", "1.26.4", "0.4.5", OLD, ("torch",))
SAVED = Saved(
    directory="checkpoint",
    files={"a.bin": 8},
    keys={"a.bin": ("w",)},
    hashes={"a.bin": "0f"},
    unsaved={"step": ("",)},
    tied={"v": "w"},
    digest="d1",
    trace=TRACE,
)
MEASURED = Measured(
    components={"model": Verdict.WRONG},
    differences={"model": Difference("0/w", "1", "2", 1, 3)},
    resume=Resume(False, FirstDifference(1, "loss", "1", "2"), 6),
    error=Raised("KeyError", "'step'", "a.py:1 in f: g()", rank=1),
    swallowed=(Raised("TypeError", "state", ""),),
    seconds=0.25,
)
RESTORED = Measured({"model": Verdict.RESTORED}, {}, None, None, (), 1.0)
UNSUPPORTED = Unsupported("no hooks")
REQUESTS: tuple[Request[Any], ...] = (
    HELLO,
    Weigh(),
    WRITE,
    Write("m:S", Device.CPU, "/c", seed=55),
    LOAD,
    Control(CASE, ControlKind.PERFECT),
    LoadAltered(CASE, "m:load", FLIP, "/other"),
    Alterations(CASE, ""),
    Reference(CASE),
)
ANSWERS: tuple[tuple[Request[Any], Any], ...] = (
    (HELLO, INTRODUCTION),
    (Weigh(), GpuCost(300_000_000, 1.5)),
    (WRITE, SAVED),
    (WRITE, SaveFailed("save_state raised OSError: no space")),
    (WRITE, UNSUPPORTED),
    (LOAD, MEASURED),
    (LOAD, RESTORED),
    (LOAD, UNSUPPORTED),
    (Control(CASE, ControlKind.NOTHING), MEASURED),
    (LoadAltered(CASE, "m:load", FLIP, ""), MEASURED),
    (Alterations(CASE, ""), (FLIP, FLIP)),
    (Reference(CASE), TRACE),
    (Reference(CASE), None),
)
QUESTION_LINES = [question_line(request, 60.0, ("/mine",)) for request in REQUESTS]
ANSWER_LINES = [answer_line(request, Returned(value)) for request, value in ANSWERS]


def named(value: object) -> str:
    return type(value[0] if isinstance(value, tuple) else value).__name__


@pytest.mark.parametrize("request_", REQUESTS, ids=named)
def test_a_request_arrives_as_it_was(request_: Request[Any]) -> None:
    arrived = read_question(question_line(request_, 60.0, ("/mine", "/yours")))
    assert arrived == protocol.Question(request_, 60.0, ("/mine", "/yours"))  # type: ignore[arg-type] # any of them


@pytest.mark.parametrize(("request_", "value"), ANSWERS, ids=named)
def test_an_answer_arrives_as_it_was(request_: Request[Any], value: Any) -> None:
    line = answer_line(request_, Returned(value))
    assert "\n" not in line
    assert read_answer(request_, line) == Returned(value)
    for how in Ending:
        failed = NotReturned(how, "Traceback\nValueError: bad")
        assert read_answer(request_, answer_line(request_, failed)) == failed


def test_every_request_and_every_kind_of_answer_is_tried_here() -> None:
    every = set(get_args(AnyRequest))
    assert {type(request) for request in REQUESTS} == every
    assert {type(request) for request, _ in ANSWERS} == every
    answers = [answer_type(request) for request in every]
    kinds = [kind for answer in answers for kind in (answer, *get_args(answer))]
    assert {one.__name__ for one in kinds if isinstance(one, type) and is_dataclass(one)} <= {
        named(value) for _, value in ANSWERS
    }


def objects(plain: Any) -> Iterator[dict[str, Any]]:
    """Every object in a line that stands for a dataclass."""
    if isinstance(plain, dict):
        if "is" in plain:
            yield plain
        for value in plain.values():
            yield from objects(value)
    if isinstance(plain, list):
        for item in plain:
            yield from objects(item)


def spoilt(line: str) -> Iterator[tuple[str, str]]:
    """The line with one field missing, misspelt, doubled, or of a wrong type; and its name."""
    for number, whole in enumerate(objects(json.loads(line))):
        for name in whole:
            if name == "is":
                continue
            for change in ("missing", "misspelt", "doubled", "wrong"):
                plain = json.loads(line)
                found = list(objects(plain))[number]
                value = found.pop(name)
                if change in ("misspelt", "doubled"):
                    found[f"{name}s"] = value
                if change == "doubled":
                    found[name] = value
                if change == "wrong":
                    found[name] = [[]]
                yield name, json.dumps(plain)


@pytest.mark.parametrize("line", QUESTION_LINES, ids=lambda line: json.loads(line)["request"]["is"])
def test_a_request_with_a_wrong_field_is_refused_by_its_name(line: str) -> None:
    tried = list(spoilt(line))
    assert len(tried) >= 12
    for name, wrong in tried:
        with pytest.raises(WireError, match=rf"^question.*\b{name}s?\b"):
            read_question(wrong)


@pytest.mark.parametrize(
    ("request_", "line"),
    [(request, line) for (request, _), line in zip(ANSWERS, ANSWER_LINES, strict=True)],
    ids=named,
)
def test_an_answer_with_a_wrong_field_is_refused_by_its_name(
    request_: Request[Any], line: str
) -> None:
    for name, wrong in spoilt(line):
        with pytest.raises(WireError, match=rf"^answer.*\b{name}s?\b"):
            read_answer(request_, wrong)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"Load"', '"Lod"', "question.request is Lod, not one of Hello, Weigh, Write, Load"),
        ('"cpu"', '"tpu"', "question.request.case.device is 'tpu', not one of cpu, cuda"),
        ("60.0", '"60"', "question.seconds is '60', not float"),
        ("60.0", "true", "question.seconds is True, not float"),
        ('["/0/w"]', '"/0/w"', r"question.request.case.unsaved\['model'\] is '/0/w'"),
        ('["/0/w"]', "[null]", r"question.request.case.unsaved\['model'\]\[0\] is None"),
        ('"Question"', '"Answer"', "question is Answer, not Question"),
        ("}", "", "question is no JSON"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(old: str, new: str, told: str) -> None:
    line = question_line(LOAD, 60.0, ())
    assert old in line
    with pytest.raises(WireError, match=told):
        read_question(line.replace(old, new))


def test_true_is_no_number() -> None:
    load: Request[Any] = LOAD
    line = answer_line(load, Returned(MEASURED)).replace('"steps": 6', '"steps": true')
    with pytest.raises(WireError, match=r"answer\.value\.resume\.steps is True, not int"):
        read_answer(LOAD, line)


def test_the_answer_to_another_request_is_refused() -> None:
    write: Request[Any] = WRITE
    with pytest.raises(WireError, match=r"answer\.value is Saved, not one of Measured"):
        read_answer(LOAD, answer_line(write, Returned(SAVED)))
    with pytest.raises(WireError, match="answer is Returend, not one of Returned, NotReturned"):
        read_answer(LOAD, '{"is": "Returend", "value": null}')


def test_a_whole_number_is_a_number_of_seconds() -> None:
    arrived = read_question(question_line(LOAD, 60, ())).seconds
    assert (arrived, type(arrived)) == (60.0, float)


def test_what_has_no_place_on_the_wire_is_not_sent() -> None:
    with pytest.raises(WireError, match="a PosixPath cannot be sent"):
        encode(Unsupported(ROOT))  # type: ignore[arg-type] # the point of it


def test_what_cannot_be_read_is_a_mistake_in_the_protocol() -> None:
    @dataclass(frozen=True)
    class Odd:
        numbers: set[int]

    with pytest.raises(TypeError, match=r"odd\.numbers: there is no reading"):
        decode(Odd, "odd", '{"is": "Odd", "numbers": []}')


def test_a_stand_in_arrives_as_it_was() -> None:
    described = StandIn("/t", ("Adam", ""), 1, 0, False, ((("a", "b"),),), ("x.json",), True, ())
    assert read_stand_in(encode(described)) == described
    with pytest.raises(WireError, match=r"stand-in.schedulers is missing"):
        read_stand_in(encode(described).replace('"schedulers": 1, ', ""))


@pytest.mark.parametrize("kind", Word.__subclasses__(), ids=lambda kind: kind.__name__)
def test_a_word_is_what_it_says(kind: type[Word]) -> None:
    for word in kind:
        assert f"{word}" == str(word) == word == word.value
        assert {word.value: 1}[word] == 1
        assert decode(kind, "word", encode(word)) is word


@pytest.mark.parametrize(
    ("sent", "reported"),
    [
        (Difference, model.Difference),
        (FirstDifference, model.FirstDifference),
        (Resume, model.Resume),
        (Raised, model.ErrorRecord),
    ],
)
def test_what_is_reported_has_the_fields_that_are_sent(sent: Any, reported: Any) -> None:
    assert [field.name for field in fields(sent)] == [field.name for field in fields(reported)]


def test_verdicts_are_the_same_words_at_both_ends() -> None:
    assert [word.value for word in words.Verdict] == [word.value for word in model.Verdict]


OTHER_END = """
import sys
from ckptmatrix.worker import protocol, wire
for line in sys.stdin:
    question = protocol.read_question(line)
    print(protocol.question_line(question.request, question.seconds, question.paths))
"""


def python(version: str) -> str:
    """An interpreter of that version, if this machine has one: pyenv's, or one that uv knows."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for found in pyenv.glob(f"versions/{version}.*/bin/python"):
        return str(found)
    command = [uv.find_uv_bin(), "python", "find", "--no-project", "--offline", version]
    known = subprocess.run(command, capture_output=True, text=True, check=False)
    if known.returncode:
        pytest.skip(f"no Python {version} on this machine")
    return known.stdout.strip()


def test_python_3_9_speaks_it_as_well() -> None:
    lines = "".join(f"{line}\n" for line in QUESTION_LINES)
    done = subprocess.run(
        [python("3.9"), "-c", OTHER_END],
        input=lines,
        env={"PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (lines, "")


@pytest.mark.parametrize(
    ("version", "names"),
    [("3.9", "worker/**/*.py"), ("3.8", "resume.py"), ("3.8", "doctor.py")],
)
def test_what_runs_inside_environments_is_in_the_syntax_of_their_python(
    version: str, names: str
) -> None:
    files = [str(path) for path in (ROOT / "src" / "ckptmatrix").glob(names)]
    assert files
    code = "import sys\nfor f in sys.argv[1:]: compile(open(f, encoding='utf-8').read(), f, 'exec')"
    done = subprocess.run(
        [python(version), "-c", code, *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
from ckptmatrix.worker import protocol, stand_in
foreign = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(*sorted(foreign - {"__main__"}))
"""


def test_it_takes_the_standard_library_alone() -> None:
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(ROOT / "src")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "ckptmatrix\n"
