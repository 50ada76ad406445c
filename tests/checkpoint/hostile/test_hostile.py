"""Every reader on every hostile case: nothing runs, hangs or falls, and nothing is called harmless
that was not read."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ckptmatrix import doctor
from ckptmatrix.checkpoint.inspect.inspection import inspect
from ckptmatrix.cli import main
from tests.checkpoint.hostile import ceilings
from tests.checkpoint.hostile.case import STATES, Case, Expected
from tests.checkpoint.hostile.cases import CASES
from tests.support.environments import python_of
from tests.support.places import MANIFESTS, NEWEST, NEWEST_BASIC, ROOT

Answers = dict[str, dict[str, Any]]

HANGING = 3600
"""Seconds after which a reader is taken to wait for ever; the host's CPU time is limited too."""
FORGIVEN = {
    "a second pickle": "what follows the first one is not looked at by any loader",
    "a frame in a frame": "Python's machine, which resume has, takes the bytes one by one",
    "a frame beyond the end": "the same",
    "a dtype of fields": "of a dtype's state resume takes the order of bytes alone",
    "two states": "an OrderedDict with two attributes",
    "attributes of another type": "resume leaves type and attributes away",
    "an attribute that Python reads": "the same",
}
"""Cases that resume may read, as it is itself the one that reads; -> why nothing can come of it."""

NO_HARM = {
    "names torch.EvilStorage": "there is none, so torch raises",
    "a second pickle": "what follows the first one is not looked at by any loader",
    "letters beyond latin-1": "encode raises",
    "two states": "an OrderedDict with two attributes",
}
"""Cases that doctor may have loaded, in a process of its own; -> why nothing can come of it."""
EXPANDING = (
    "a tensor of 64 GB in 4 bytes",
    "100,000 deques [custom_checkpoint_0.pkl]",
    "200,000 sets [custom_checkpoint_0.pkl]",
)
"""Sound files that come to many times their size, which resume does not take."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def answers(folder: Path) -> Answers:
    """Case -> what inspect, repair, try's guard and doctor make of it, and what that costs."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.checkpoint.hostile.probing", folder, NEWEST_BASIC],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        timeout=HANGING,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", CASES)
def test_host(answers: Answers, name: str) -> None:
    case, found = CASES[name], answers[name]
    for reader in ("inspect", "repair", "try", "doctor"):
        assert not found[reader].startswith("fell"), found[reader]
        _is_below_the_ceilings(found[f"{reader}: cost"])
    assert found["inspect"] == "done"
    match case.expected:
        case Expected.DANGEROUS:
            assert found["dangerous"]
        case Expected.DAMAGED:
            assert not found["dangerous"]
            assert found["problems"]
        case Expected.NAMED:
            assert not found["dangerous"]
            assert found["unknown"]
        case Expected.ODD:
            assert not found["unknown"]
    if case.expected in (Expected.DANGEROUS, Expected.DAMAGED) and case.file:
        assert found["repair"].startswith("refused"), found["repair"]
        assert found["try"].startswith("refused"), found["try"]
        assert not found["copied"]
    assert not set(found["copied"]) & {*found["dangerous"], "zero_to_fp32.py"}
    if case.expected is Expected.DANGEROUS and doctor.PICKLED.fullmatch(case.file):
        assert found["refused"] or name.partition(" [")[0] in NO_HARM


def _is_below_the_ceilings(cost: dict[str, float]) -> None:
    assert cost["seconds"] < ceilings.SECONDS
    assert cost["gigabytes"] < ceilings.GIGABYTES


def test_nothing_was_run(answers: Answers, folder: Path) -> None:
    assert answers
    assert not list(folder.rglob("was-run"))
    assert not (ROOT / "was-run").exists()


@pytest.fixture(scope="module", params=["1.15.0"])
def loaded(answers: Answers, folder: Path) -> Answers:
    """Case -> what `resume` makes of its file, in an environment, and what that costs."""
    assert answers
    place = folder / "resume"
    place.mkdir()
    shutil.copy(ROOT / "src" / "ckptmatrix" / "resume.py", place)
    for name in ("reading.py", "ceilings.py"):
        shutil.copy(Path(__file__).parent / name, place)
    files = {
        name: str(folder / str(number) / "state" / case.file)
        for number, (name, case) in enumerate(CASES.items())
        if case.file
    }
    done = subprocess.run(
        [python_of(NEWEST.accelerate, NEWEST.stack), "-W", "error", "reading.py", "--each"],
        input="\n".join(map(json.dumps, files.values())),
        capture_output=True,
        text=True,
        cwd=place,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=HANGING,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not list(folder.rglob("was-run"))
    *said, _ = map(json.loads, done.stdout.splitlines())
    return dict(zip(files, said, strict=True))


@pytest.mark.environments
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.file])
def test_resume(loaded: Answers, name: str) -> None:
    case, said = CASES[name], loaded[name]["said"]
    _is_below_the_ceilings(loaded[name])
    assert not said.startswith("fell"), said
    if case.expected is Expected.DANGEROUS and name.partition(" [")[0] not in FORGIVEN:
        assert said.startswith("refused"), said
    if name in EXPANDING or (case.expected is Expected.DAMAGED and not name.startswith("holds")):
        assert said.startswith("refused"), said


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: "-".join(path.parts[-3:-1]))
def test_real_checkpoints_are_accepted(manifest: Path) -> None:
    directory = manifest.parent / str(json.loads(manifest.read_text())["directory"])
    one = inspect(directory)
    assert (one.dangerous, one.problems) == ((), ())
    assert {file.reading for file in one.facts.files} == {"read"}


SPOKEN = [
    "runs [optimizer.bin]", "a pipe [optimizer.bin]", "a name that a terminal obeys",
    "a name that is no UTF-8", "2^60 lists in one [optimizer.bin]", "zeros [scheduler.bin]",
]  # fmt: skip


@pytest.mark.parametrize("command", ["inspect", "inspect --json", "repair", "try"])
@pytest.mark.parametrize("name", SPOKEN)
def test_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any, name: str, command: str
) -> None:
    directory = tmp_path / "state"
    shutil.copytree(NEWEST_BASIC, directory)
    CASES[name].make(directory)
    options = {"repair": [str(tmp_path / "new")], "try": ["--config", str(ROOT / "matrix.toml")]}
    verb, *flags = command.split()
    if verb == "try":
        if CASES[name].expected is Expected.ODD:
            pytest.skip("it would be loaded for real")
        options["try"] += ["--tier", "smoke"]
    monkeypatch.chdir(tmp_path)
    arguments = [str(directory), *options.get(verb, []), *flags]
    monkeypatch.setattr(sys, "argv", ["ckptmatrix", verb, *arguments])
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    assert "went wrong" not in said.err
    assert not set(said.out + said.err) & {"\x1b", "\x07", "\u202e"}
    expected = CASES[name].expected
    if expected is not Expected.ODD:
        codes = {"inspect": {1}, "repair": {3}, "try": {2, 3}}
        assert code in codes[verb]


def test_the_case_of_each_state_file() -> None:
    assert {case.file for case in CASES.values()} >= set(STATES)
    assert len(CASES) >= 250
    assert all(isinstance(case, Case) for case in CASES.values())
