"""Runs the commands that read what users hand over on files that are hostile or malformed, in a
process with bounded memory; as JSON on standard output: file, command -> exit code and words.

python -m tests.cli.hostile_files FOLDER
"""

import contextlib
import gzip
import io
import json
import os
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ckptmatrix.cli import main as command_line
from tests.support.places import BASIC_RUN

MEMORY = 1_500_000_000
"""Bytes of address space; imports take 0.3 of them."""
DEEP = 200_000


def run_with(change: Callable[[dict[str, Any]], object]) -> bytes:
    """A sound run's file with something changed in it."""
    document = json.loads(gzip.decompress(BASIC_RUN.read_bytes()))
    change(document)
    return gzip.compress(json.dumps(document).encode(), 1)


def _a_cell_twice(document: dict[str, Any]) -> None:
    for column in document["cells"].values():
        column.append(column[0])


def _first(document: dict[str, Any], kind: str) -> dict[str, Any]:
    return dict(document[kind])[next(iter(document[kind]))]  # type: ignore[no-any-return]  # JSON


def _no_version(document: dict[str, Any]) -> None:
    _first(document, "environments")["accelerate"] = ""


RUNS: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"\x80\x02N.",
    "deep": b"[" * DEEP,
    "deep, packed": gzip.compress(b'{"schema":' + b"[" * DEEP),
    "deep in a field": b'{"schema":"ckptmatrix.matrix/2","run":' + b'{"a":' * DEEP,
    "a bomb": gzip.compress(bytes(1 << 28), 9),
    "a bomb behind a bomb": gzip.compress(bytes(1 << 26), 9) * 4,
    "cut short": BASIC_RUN.read_bytes()[:5000],
    "damaged": BASIC_RUN.read_bytes()[:5000] + bytes(100) + BASIC_RUN.read_bytes()[5100:],
    "NaN": b'{"schema":"ckptmatrix.matrix/1","run":NaN}',
    "another schema": b'{"schema":"ckptmatrix.matrix/99"}',
    "a list": b"[]",
    "half a pair": b'{"schema":"\\ud800"}',
    "no UTF-8": b'{"schema":"\xff"}',
    "UTF-16": '{"schema":1}'.encode("utf-16"),
    "a large number": b'{"schema":' + b"9" * 100_000 + b"}",
    "a cell twice": run_with(_a_cell_twice),
    "a release that is no version": run_with(_no_version),
    "an index too large": run_with(lambda one: one["cells"]["writer"].__setitem__(0, 10**6)),
    "a negative index": run_with(lambda one: one["cells"]["reader"].__setitem__(0, -1)),
    "columns of two lengths": run_with(lambda one: one["cells"]["way"].pop()),
    "a text for a number": run_with(lambda one: one["cells"]["outcome"].__setitem__(0, "\u00b2")),
    "an unknown status": run_with(lambda one: one["outcomes"][0].__setitem__("status", "\x1b[2J")),
}
"""Files for a run's, by what is wrong with them."""

CONFIGS: dict[str, bytes] = {
    "empty": b"",
    "no TOML": b"\x00\x01",
    "deep lists": b"stacks = " + b"[" * DEEP,
    "deep tables": b"stacks = " + b"{a=" * 5000,
    "deep names": b"[stacks" + b".a" * 50_000 + b"]\npython = 1\n",
    "5 MB": b"#" * (5 << 20),
    "no UTF-8": b'[stacks."\xff"]\n',
    "a large number": b"tiers = " + b"9" * 10_000 + b"\n",
    "a number of another alphabet": "tiers = \u00b2\n".encode(),
    "a version of another alphabet": '[stacks.a]\npython = "3.\u00b2"\npackages = []\n'.encode(),
    "numbers for tables": b"stacks = 1\ntiers = 2\n",
    "numbers in tables": b"[stacks.a]\npython = nan\npackages = [1]\n[tiers.b]\naccelerate = 1\n",
    "dates": b"[stacks]\na = 2026-01-01\n[tiers]\nb = 00:00:00\n",
    "twice": b"[stacks.a]\n[stacks.a]\n",
}
"""Files for a matrix.toml, by what is wrong with them."""


def said_by(*arguments: str) -> tuple[object, str]:
    """The exit code of a command, and what it printed."""
    sys.argv = ["ckptmatrix", *arguments]
    code: object = 0
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            command_line()
        except SystemExit as ended:
            code = ended.code
    return code, printed.getvalue()


def main() -> None:
    """Run all."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    folder = Path(sys.argv[1])
    os.chdir(folder)
    answers: dict[str, tuple[object, str]] = {}
    good = str(shutil.copy(BASIC_RUN, folder / "good.json.gz"))
    bad, config = folder / "given.json.gz", folder / "given.toml"

    def ask_runs(name: str) -> None:
        for command in (
            ("diff", str(bad), good), ("diff", good, str(bad)), ("merge", str(bad), good),
            ("report", str(bad)), ("report", good, "--baseline", str(bad)),
            ("upgrade", "0.31.0", "0.33.0", "--matrix", str(bad)),
        ):  # fmt: skip
            answers[f"{name}: {' '.join(Path(part).name for part in command)}"] = said_by(*command)

    for name, data in RUNS.items():
        bad.write_bytes(data)
        ask_runs(name)
    with bad.open("wb") as sparse:
        sparse.truncate(1 << 40)
    ask_runs("a terabyte")
    bad.unlink()
    os.mkfifo(bad)
    ask_runs("a pipe")
    for name, data in CONFIGS.items():
        config.write_bytes(data)
        answers[f"{name}: plan"] = said_by("plan", "--config", str(config))
    config.unlink()
    os.mkfifo(config)
    answers["a pipe: plan"] = said_by("plan", "--config", str(config))
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
