#!/usr/bin/env python3
"""A stand-in for SLURM's sbatch: runs each job at once, in this machine's only queue.

It keeps to what the script relies on: ids, `--array`, and dependencies, which it refuses to run
before their time. What jobs print goes to a log beside it, as with SLURM.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

QUEUE = Path(os.environ["SBATCH_QUEUE"])


def main() -> None:
    options = [a for a in sys.argv[1:] if a.startswith("--")]
    script, *arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    given = dict(option[2:].partition("=")[::2] for option in options)
    unknown = set(given) - {"parsable", "dependency", "array", "kill-on-invalid-dep"}
    if unknown:
        sys.exit(f"sbatch: unrecognized option {unknown}")
    known = json.loads(QUEUE.read_text()) if QUEUE.exists() else {}
    number = str(4000 + len(known))
    known[number] = ended = []
    if satisfied(given.get("dependency", ""), known):
        first, _, last = given.get("array", "0-0").partition("-")
        for task in range(int(first), int(last) + 1):
            array = {"SLURM_ARRAY_TASK_ID": str(task)} if "array" in given else {}
            with QUEUE.with_name(f"{number}-{task}.log").open("w") as log:
                command = ["bash", script, *arguments]
                job = {**os.environ, "SLURM_JOB_ID": number, **array}
                ended.append(subprocess.run(command, env=job, stdout=log, stderr=log).returncode)
    QUEUE.write_text(json.dumps(known))
    print(number if "parsable" in given else f"Submitted batch job {number}")


def satisfied(dependency: str, known: dict[str, list[int]]) -> bool:
    kind, _, number = dependency.partition(":")
    if kind == "afterok":
        return bool(known[number]) and not any(known[number])
    if kind == "afterany":
        return number in known
    return not dependency


main()
