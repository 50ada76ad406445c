"""Runs inside an environment: reads files with `resume.py`, copied alone.

Each line of standard input is the name of a file as JSON, each of standard output what came of it
as JSON: `done`, `refused: ...` or `fell: ...`, with `--each` read below a
ceiling of time and memory (`ceilings`); the last one how much memory was in use at the most, in GB.
"""

import json
import resource
import sys
from functools import partial
from pathlib import Path

from ceilings import below_ceilings  # type: ignore[import-not-found]  # copied beside

import resume  # type: ignore[import-not-found]  # copied beside


def outcome(path: Path) -> str:
    try:
        if path.name.endswith(".safetensors"):
            resume._map_safetensors(path)
        else:
            resume.read(path)
    except (resume.ResumeError, OSError) as error:
        return f"refused: {error}"
    except Exception as error:  # noqa: BLE001 - what must not be
        return f"fell: {type(error).__name__}: {error}"
    return "done"


each = sys.argv[1:] == ["--each"]
for line in sys.stdin:
    path = Path(json.loads(line))
    act = partial(outcome, path)
    print(json.dumps(below_ceilings(act) if each else act()), flush=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
