"""A run that is killed again and again: what is left of it, and what comes out in the end."""

import getpass
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from ckptmatrix.environments.stamp import STAMP
from ckptmatrix.environments.starting import start
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.maintenance.machine_faults import Inflicted, MachineFault, inflict
from ckptmatrix.maintenance.processes import Process, Role, processes_of
from ckptmatrix.model import CellRecord
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.util.home import Home
from ckptmatrix.util.unfinished import unfinished

EVERYTHING = "everything"
"""The run with all its processes, at once."""

_TARGETS = (
    *(Role.RUN, EVERYTHING, Role.PYTEST),
    *(Role.WORKER, Role.WORKER, Role.CHILD, Role.CHILD),
)
"""What is killed, each as often as it stands here."""

_GAP = (0.1, 4.0)
"""Seconds from one kill until the next is due; it waits until there is such a process."""

_LOOK = 0.05
"""Seconds between two looks for it."""

_GRACE = 5.0
"""Seconds after which a process of a killed run is an orphan: the kernel may be busy."""

_NOTHING = Inflicted()
"""As a run is started that the machine does nothing to."""

Grid = dict[str, CellRecord]
"""Cell -> what came out, but for what differs from run to run."""


@dataclass
class Tally:
    """What came of it; the lists should be empty."""

    kills: Counter[str] = field(default_factory=Counter)
    """What was killed, and how often."""
    faults: Counter[str] = field(default_factory=Counter)
    """What the machine did to a run, and how often."""
    refused: int = 0
    """How many of these runs ended with exit code 3, a sentence and its remedy."""
    grids: int = 0
    """Grids that were finished."""
    starts: int = 0
    """How often a run was started for them."""
    orphans: list[str] = field(default_factory=list)
    """Processes that outlived the run that they belonged to."""
    leftovers: list[str] = field(default_factory=list)
    """Files and folders that nobody finishes, still there after a run that came to its end."""
    differences: list[str] = field(default_factory=list)
    """Cells that came out otherwise than undisturbed."""
    endings: list[str] = field(default_factory=list)
    """Last words of runs that came to another end than undisturbed."""

    @property
    def clean(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.orphans or self.leftovers or self.differences or self.endings)


@dataclass(frozen=True)
class Soak:
    """Runs in a home of their own, of which this and that is killed."""

    place: Path
    """A folder for it; what lies there is thrown away, but for the environments."""
    command: tuple[str, ...]
    """`ckptmatrix run` with its arguments, but for where the report goes."""
    draw: random.Random
    """Where chance comes from."""
    over: Callable[[Tally], bool]
    """Asked before each kill; once it is true, none is done any more."""
    say: Callable[[str], None]
    """Called with what happens."""
    tally: Tally = field(default_factory=Tally)
    """What came of it so far."""

    def undisturbed(self) -> Grid:
        """The grid of a run that nothing is done to.

        Raises:
            CkptmatrixError: it does not come to its end.
        """
        self._forget()
        with self._run() as run:
            status = run.wait()
        if status not in (0, 1):
            raise CkptmatrixError(f"undisturbed, the run ends with {status}", self._last_words())
        return self._grid()

    def grid(self, expected: Grid) -> None:
        """Begin with nothing measured and go on, whatever is killed, until there is a grid.

        Args:
            expected: that of a run that nothing is done to.
        """
        self._forget()
        while not self._ended():
            pass
        left = [str(path) for path in self._leftovers()]
        found = self._grid() if self._reports.exists() else {}
        names = sorted(expected.keys() | found.keys())
        told = (_told(name, expected.get(name), found.get(name)) for name in names)
        different = [one for one in told if one]
        self.tally.grids += 1
        self.tally.differences += different
        self.tally.leftovers += left
        self.say(f"grid {self.tally.grids}: {len(different)} differences, {len(left)} leftovers")

    def _ended(self) -> bool:
        """Start the run and kill this and that of it; whether it came to its end."""
        self.tally.starts += 1
        fault = self.draw.choice(tuple(MachineFault)) if self._is_due() else None
        inflicted = inflict(fault, self._home, self.draw) if fault else None
        if fault and inflicted:
            self.tally.faults[fault] += 1
            self.say(f"machine: {fault} {inflicted.file or ''}".rstrip())
            if fault is MachineFault.NO_INDEX:
                self._lose_environment()
        with self._run(inflicted or _NOTHING) as run:
            while not self.over(self.tally):
                target, seconds = self.draw.choice(_TARGETS), self.draw.uniform(*_GAP)
                while not _has_ended(run, seconds) and not self._killed(run, target):
                    seconds = _LOOK
                if run.returncode is not None:
                    break
            status = run.wait()
            if status == -signal.SIGKILL:
                return False
            if status in (0, 1):
                return True
            if fault and not fault.mended and self._is_refused(status):
                self.tally.refused += 1
                self.say("refused, with a remedy")
                return False
            self.tally.endings.append(f"{status}: {self._last_words()}")
            return True

    def _is_due(self) -> bool:
        """Whether the machine does something to the next run."""
        return not self.over(self.tally) and self.draw.random() < _MACHINE

    def _is_refused(self, status: int) -> bool:
        """Whether a run ended as documented: a sentence, its remedy, exit code 3."""
        said = self._log.read_text(errors="replace")
        return status == 3 and "remedy:" in said and "Traceback" not in said

    def _killed(self, run: "subprocess.Popen[str]", target: str) -> bool:
        """Kill something of the run; whether there was such a thing."""
        every = processes_of(run.pid)
        there = [one for one in every if target in (EVERYTHING, one.role)]
        chosen = there if target == EVERYTHING else self.draw.sample(there, min(1, len(there)))
        if not [one for one in chosen if one.kill()]:
            return False
        self.tally.kills[str(target)] += 1
        self.say(f"killed: {target}")
        if target in (EVERYTHING, Role.RUN):
            run.wait()
            self.tally.orphans += [str(one) for one in _outliving(every)]
        return True

    @contextmanager
    def _run(self, inflicted: Inflicted = _NOTHING) -> "Iterator[subprocess.Popen[str]]":
        for folder in (self._home.root, self._temporary):
            folder.mkdir(parents=True, exist_ok=True)
        settings = {"CKPTMATRIX_HOME": str(self._home.root), "TMPDIR": str(self._temporary)}
        with self._log.open("w", encoding="utf-8") as log:
            run = start(
                [*inflicted.before, *self.command, "--reports", str(self._reports)],
                env={**os.environ, **settings, **inflicted.variables},
                stdout=log,
                stderr=log,
                text=True,
            )
            try:
                yield run
            finally:
                run.kill()
                run.wait()

    def _forget(self) -> None:
        """Throw away what was measured and written; mostly the environments stay."""
        home = self._home
        for path in (*home.root.glob("*"), self._reports):
            if path.is_dir() and path != home.environments:
                shutil.rmtree(path)
            elif path.is_file():
                path.unlink()
        if self.draw.random() < _BUILT_ANEW:
            self._lose_environment()

    def _lose_environment(self) -> None:
        built = sorted(self._home.environments.glob("accelerate-*/"))
        if built:
            shutil.rmtree(self.draw.choice(built))

    def _grid(self) -> Grid:
        return {_name(cell): _lasting(cell) for cell in read_matrix(self._reports).cells}

    def _leftovers(self) -> list[Path]:
        """What nobody finishes, once a run has come to its end."""
        home = self._home
        folders = [Path(folder) for folder, _, _ in os.walk(home.root)]
        half = [p for p in home.environments.glob("accelerate-*/") if not (p / STAMP).exists()]
        temporary = [path for path in self._temporary.iterdir() if path.name not in _OF_PYTEST]
        return [*unfinished(folders), *half, *temporary]

    def _last_words(self) -> str:
        return " / ".join(self._log.read_text(errors="replace").strip().splitlines()[-3:])

    @property
    def _home(self) -> Home:
        return Home(self.place / "home")

    @property
    def _reports(self) -> Path:
        return self.place / "reports"

    @property
    def _temporary(self) -> Path:
        return self.place / "tmp"

    @property
    def _log(self) -> Path:
        return self.place / "run.log"


_OF_PYTEST = (f"pytest-of-{getpass.getuser()}",)
"""It looks after this folder itself."""

_MACHINE = 0.3
"""How often the machine does something to a run."""

_BUILT_ANEW = 0.3
"""How often one of the environments has to be built anew."""


def _has_ended(run: "subprocess.Popen[str]", seconds: float) -> bool:
    """Whether it ends by itself within a time."""
    try:
        run.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _outliving(processes: tuple[Process, ...]) -> list[Process]:
    """Those that still run a while after the run was killed."""
    deadline = time.monotonic() + _GRACE
    while (left := [one for one in processes if one.alive]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def _name(cell: CellRecord) -> str:
    parts = (cell.scenario, cell.writer, cell.reader, cell.loader, str(cell.treatment))
    return " / ".join(parts)


def _told(name: str, expected: CellRecord | None, found: CellRecord | None) -> str:
    """In what a cell differs, in a line; empty if it does not."""
    if expected == found:
        return ""
    if expected is None or found is None:
        return f"{name}: {'not there' if found is None else 'not known'}"
    parts = [
        f"{field.name} {getattr(expected, field.name)!r} -> {getattr(found, field.name)!r}"
        for field in fields(CellRecord)
        if getattr(expected, field.name) != getattr(found, field.name)
    ]
    return f"{name}: {'; '.join(parts)}"


def _lasting(cell: CellRecord) -> CellRecord:
    return replace(cell, seconds=0.0, measured="")
