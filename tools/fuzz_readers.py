"""Alters real files of checkpoints at random and gives them to every reader.

python tools/fuzz_readers.py --inputs 100000 --seed 1 [--python PYTHON] [--further FURTHER]
    [--keep KEEP]

Each input is a file of a fixture or below FURTHER, or a hostile one of the tests, in which bytes
are flipped, cut out, doubled, put in or exchanged with another file's. Of three in four only what
describes the rest is altered (the pickle in an archive, the header of safetensors) and a sound
file made around it, as else nearly all would be refused for their layout alone. `read_file`
(inspect's, try's), the readers of repair and those of doctor take it, and `resume.read` in the
environment of PYTHON, which has torch, if it is given. Anything that they raise but the project's
own errors is kept under KEEP and counted, and so is an input that takes longer than ten seconds,
kills its process, or is one of a hundred of which `resume.read` takes too much memory.
"""

import argparse
import io
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.checkpoint.hostile.cases import CASES  # noqa: E402
from tests.checkpoint.hostile.opcodes import entries, zipped  # noqa: E402
from tests.support.places import MANIFESTS  # noqa: E402

from ckptmatrix import doctor  # noqa: E402
from ckptmatrix.checkpoint.format import rewriting_archives, rewriting_tensors  # noqa: E402
from ckptmatrix.checkpoint.format.archive import read_archive  # noqa: E402
from ckptmatrix.checkpoint.format.listing import listing  # noqa: E402
from ckptmatrix.checkpoint.format.opening import UnreadableError  # noqa: E402
from ckptmatrix.checkpoint.format.reading_files import read_file  # noqa: E402
from ckptmatrix.checkpoint.inspect.gathering import gather  # noqa: E402
from ckptmatrix.checkpoint.repair import state_files  # noqa: E402
from ckptmatrix.errors import CkptmatrixError  # noqa: E402
from ckptmatrix.measure.directory.neutral_from_files import Encoder  # noqa: E402

_COPIED = (
    "src/ckptmatrix/resume.py", "tests/checkpoint/hostile/reading.py",
    "tests/checkpoint/hostile/ceilings.py",
)  # fmt: skip
SLOW = 10.0
"""Seconds of the processor that one input may take."""
LARGE = 1.5
"""GB that `resume.read` may take for one, with torch."""
_NOT_ALONE = ("cut", "a ", "3 GB", "more opcodes", "4 million", "33 MB")
"""How the names of cases begin that need their directory, or are large."""


def seeds(scratch: Path, further: Path) -> list[tuple[str, bytes]]:
    """Name and content of the files that are altered."""
    found = [
        (path.name, path.read_bytes())
        for manifest in MANIFESTS
        for path in manifest.parent.glob("*/*")
        if path.is_file()
    ]
    for number, case in enumerate(CASES.values()):
        if case.file and "[" in case.name and not case.name.startswith(_NOT_ALONE):
            place = scratch / str(number)
            place.mkdir()
            case.make(place)
            found.append((case.file, (place / case.file).read_bytes()))
    found += [(path.name, path.read_bytes()) for path in further.rglob("*") if path.is_file()]
    return [(name, data) for name, data in found if len(data) < 100_000]


def described(data: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    """What describes the rest of a file, and what makes a sound file around another such."""
    try:
        archive = read_archive(io.BytesIO(data), 0, len(data))
    except UnreadableError:
        length = int.from_bytes(data[:8], "little")
        if 8 + length > len(data):
            return data, lambda new: new
        rest = data[8 + length :]
        return data[8 : 8 + length], lambda new: len(new).to_bytes(8, "little") + new + rest
    records = {
        name: data[record.offset :][: record.size]
        for name, record in archive.records.items()
        if name.startswith("data/")
    }
    return archive.pickle, lambda new: zipped(entries(new, records=records))


def altered(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """The data with up to four alterations."""
    new = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(new) + 1)
        size = chance.choice((1, 1, 1, 2, 4, 32))
        match chance.randrange(6):
            case 0 if at < len(new):
                new[at] ^= 1 << chance.randrange(8)
            case 1:
                new[at : at + size] = chance.randbytes(size)
            case 2:
                del new[at : at + size]
            case 3:
                new[at:at] = new[at : at + size]
            case 4:
                new[at : at + size] = other[at : at + size]
            case _:
                new[at : at + size] = chance.choice((b"\0", b"\xff", b"\x7f")) * size
    return bytes(new)


class Resume:
    """`resume.py` in an environment, copied alone."""

    def __init__(self, python: Path, folder: Path) -> None:
        folder.mkdir()
        for file in _COPIED:
            shutil.copy(ROOT / file, folder)
        self.command = [str(python), "-W", "error", str(folder / "reading.py")]
        self.process = self.start()
        self.read([folder / "none"])  # which waits for torch

    def start(self) -> "subprocess.Popen[str]":
        """Its process, which takes names of files."""
        pipe = subprocess.PIPE
        return subprocess.Popen(self.command, stdin=pipe, stdout=pipe, text=True)

    def read(self, paths: list[Path]) -> list[str]:
        """What came of each file: `done`, `refused: ...` or anything else."""
        said: list[str] = []
        while len(said) < len(paths):
            self.ask(paths[len(said) :])
            assert self.process.stdout
            while len(said) < len(paths):
                line = self.process.stdout.readline()
                said.append(json.loads(line) if line else "the process died")
                if not line:
                    self.process = self.start()
                    break
        return said

    def ask(self, paths: list[Path]) -> None:
        """Name the files."""
        assert self.process.stdin
        self.process.stdin.writelines(json.dumps(str(path)) + "\n" for path in paths)
        self.process.stdin.flush()

    def peak(self) -> float:
        """The most memory that its process had in use, in GB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) / 1e6 if found else 0

    def seconds(self) -> float:
        """Of the processor, that its process has used; those of others do not count."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Let its process end."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def readers(folder: Path, name: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """What takes a file."""
    path = folder / name
    yield "inspect", lambda: read_file(folder, name, listing(folder).files[name])
    yield "facts", lambda: gather(folder)
    if name.endswith(".safetensors"):
        yield "doctor's weights", lambda: doctor.is_whole(path)
        yield "repair's weights", lambda: rewriting_tensors.read_safetensors(path)
    else:
        yield "doctor's archive", lambda: doctor.look_through(path)
        yield "repair's archive", lambda: _graph(path)
        yield "repair's tensors", lambda: rewriting_tensors.read_archive(path)


def _graph(path: Path) -> None:
    archive = rewriting_archives.read(path)
    with rewriting_archives.understood(path.name):
        state_files.plain_scalars(archive.root, path.name)
        state_files.globals_of(archive.root)
        Encoder().graph(archive)


class Fuzzing:
    """Inputs, what takes them, and what came of it."""

    def __init__(self, keep: Path, resume: Resume | None) -> None:
        self.keep, self.resume = keep, resume
        self.found: Counter[str] = Counter()

    def noted(self, what: str, path: Path) -> None:
        """Count, and keep what must not be."""
        self.found[what] += 1
        if _is_fault(what):
            self.keep.mkdir(exist_ok=True)
            shutil.copy(path, self.keep / f"{path.parent.name}-{path.name}")

    def take(self, paths: list[Path]) -> None:
        """Give files, each alone in its folder, to every reader."""
        for path in paths:
            for reader, act in readers(path.parent, path.name):
                start = time.process_time()
                self.noted(f"{reader}: {_outcome(act)}", path)
                if time.process_time() - start > SLOW:
                    self.noted(f"{reader}: SLOW", path)
        if self.resume is not None:
            start = self.resume.seconds()
            for path, said in zip(paths, self.resume.read(paths), strict=True):
                word = said.partition(":")[0]
                known = {"done": "read", "refused": "refused"}
                self.noted(f"resume: {known.get(word, f'FELL with {said}'[:80])}", path)
            slow = self.resume.seconds() - start > SLOW
            large = self.resume.peak() > LARGE
            for path in paths if slow or large else ():
                self.noted(f"resume: one of these is {'SLOW' if slow else 'LARGE'}", path)
            if large:
                self.resume.end()
                self.resume.process = self.resume.start()


def _is_fault(what: str) -> bool:
    return any(word in what for word in ("FELL", "SLOW", "LARGE"))


def _outcome(act: Callable[[], object]) -> str:
    try:
        act()
    except CkptmatrixError:
        return "refused"
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return f"FELL with {type(error).__name__}"
    return "read"


BATCH = 100
"""Inputs that are made at a time."""


def main() -> int:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", type=Path)
    parser.add_argument("--further", type=Path, default=Path("no-such-folder"))
    parser.add_argument("--keep", type=Path, default=Path("fuzzed"))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        files = seeds(Path(scratch), options.further)
        resume = Resume(options.python, Path(scratch) / "resume") if options.python else None
        fuzzing = Fuzzing(options.keep, resume)
        for start in range(0, options.inputs, BATCH):
            paths = []
            for number in range(start, min(start + BATCH, options.inputs)):
                name, data = chance.choice(files)
                other = chance.choice(files)[1]
                if chance.random() < 0.75:
                    inner, around = described(data)
                    data = around(altered(chance, inner, described(other)[0]))
                else:
                    data = altered(chance, data, other)
                folder = Path(scratch) / f"{options.seed}-{number}"
                folder.mkdir()
                paths.append(folder / name)
                paths[-1].write_bytes(data)
            fuzzing.take(paths)
            for path in paths:
                shutil.rmtree(path.parent)
        if resume is not None:
            resume.end()
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak, within = (resource.getrusage(who).ru_maxrss / 1e6 for who in whose)
    print(f"{options.inputs} inputs, seed {options.seed}, {time.perf_counter() - begun:.0f} s")
    print(f"{peak:.2f} GB at the most, {within:.2f} with torch")
    for what, count in sorted(fuzzing.found.items()):
        print(f"  {count:9} {what}")
    return int(any(map(_is_fault, fuzzing.found)))


if __name__ == "__main__":
    sys.exit(main())
