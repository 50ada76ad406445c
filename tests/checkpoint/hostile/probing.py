"""Runs every case through inspect, repair, what `try` asks before it loads and what doctor looks
through, each below a ceiling of time and memory; as JSON on standard output: case -> what came of
it.

python -m tests.checkpoint.hostile.probing FOLDER BASE
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ckptmatrix import doctor
from ckptmatrix.checkpoint.format.rewriting_archives import understood
from ckptmatrix.checkpoint.format.safety import Rating
from ckptmatrix.checkpoint.inspect.inspection import as_json, inspect
from ckptmatrix.checkpoint.repair import repair
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.measure.directory.copying import wanted
from ckptmatrix.measure.directory.refusals import refuse
from ckptmatrix.measure.directory.stand_in import hooked_files
from ckptmatrix.measure.directory.truth import read_truth
from ckptmatrix.util.terminal_text import clean_value
from tests.checkpoint.hostile.case import Case
from tests.checkpoint.hostile.cases import CASES
from tests.checkpoint.hostile.ceilings import below_ceilings


def outcome(act: Callable[[], object]) -> tuple[str, object]:
    """`done`, the project's own error, or `fell` with anything else; and what it returned."""
    try:
        return "done", act()
    except CkptmatrixError as error:
        return f"refused: {error.message}", None
    except BaseException as error:  # noqa: BLE001 - what must not be
        return f"fell: {type(error).__name__}: {error}", None


def probe(case: Case, folder: Path, base: Path) -> dict[str, object]:
    """One case: each command with what it came to, seconds and gigabytes, and what was found."""
    directory, repaired = folder / "state", folder / "repaired"
    shutil.copytree(base, directory)
    case.make(directory)
    path = directory / case.file
    acts: dict[str, Callable[[], object]] = {
        "inspect": lambda: look(directory),
        "repair": lambda: repair(directory, repaired) and None,
        "try": lambda: guard(directory),
        "doctor": lambda: examine(path) if case.file and path.is_file() else True,
    }
    found: dict[str, object] = {}
    for name, act in acts.items():
        measured = below_ceilings(partial(outcome, act))
        said = measured.pop("said")
        found[name], answer = said if isinstance(said, list) else (said, None)
        found[f"{name}: cost"] = measured
        found.update(answer if isinstance(answer, dict) else {"refused": answer})
    found["copied"] = sorted(
        str(path.relative_to(repaired)) for path in repaired.rglob("*") if path.is_file()
    )
    shutil.rmtree(repaired, ignore_errors=True)
    return found


def look(directory: Path) -> dict[str, list[str]]:
    """What inspect says of a directory."""
    one = inspect(directory)
    json.dumps(clean_value(as_json(one))).encode()
    unknown = list(one.globals[Rating.UNKNOWN])
    return {
        "dangerous": list(one.dangerous), "problems": list(one.problems), "unknown": unknown,
    }  # fmt: skip


def guard(directory: Path) -> None:
    """What `try` asks before it loads."""
    one = inspect(directory)
    refuse(one, wanted(one.facts, hooked_files(one)), trust=False)
    with understood(str(directory)):
        read_truth(directory, one.facts, hooked_files(one), {}, trusted=False)


def examine(path: Path) -> bool:
    """Whether doctor refuses a file."""
    if path.suffix == ".safetensors":
        return not doctor.is_whole(path)
    return bool(doctor.look_through(path).refusal)


def main() -> None:
    """Probe all."""
    folder, base = map(Path, sys.argv[1:])
    os.chdir(folder)
    warm(base)
    answers = {}
    for number, (name, case) in enumerate(CASES.items()):
        place = folder / str(number)
        place.mkdir()
        answers[name] = probe(case, place, base)
    print(json.dumps(answers))


def warm(base: Path) -> None:
    """Read a sound checkpoint, so that what is imported late is there before anything is forked."""
    look(base)
    guard(base)


if __name__ == "__main__":
    main()
