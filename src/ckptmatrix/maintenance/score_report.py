"""`mutation.json` and `mutation.md`: how many altered checkpoints were noticed, and which not."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ckptmatrix.errors import UsageError
from ckptmatrix.maintenance.mutation import CAUGHT, Fate, Mutant, Score
from ckptmatrix.util.files import write_atomically

SCHEMA = "ckptmatrix.mutation/1"
"""The schema of `mutation.json`."""

_NAME = "mutation.json"
_HARMLESS = (Fate.NAMED, Fate.LOUD, Fate.SPREAD, Fate.SAME, Fate.MOOT)
"""Every fate that is no fault."""
_COLUMNS = ("scenario", "written and read by", "as it is", "mutants", *_HARMLESS, "faults")
_PLACES = 12
"""Places that are named for each reason; the rest are counted."""


@dataclass(frozen=True)
class KeptScore:
    """One scenario's score, as it is kept."""

    scenario: str
    """Name of the scenario."""
    environment: str
    """Id of the environment that wrote and read it."""
    loader: str
    """Name of the loader."""
    plain: str
    """The outcome without any alteration."""
    made: int
    """How many mutants were made."""
    fates: dict[str, int]
    """Fate -> how many."""
    same: tuple[Mutant, ...]
    """Mutants with nothing to notice, `same` or `moot`, with the reason."""
    faults: tuple[Mutant, ...]
    """What speaks against the judge."""
    key: str = ""
    """What it depends on, as a digest; a row is reused while it holds."""

    @property
    def caught(self) -> int:
        """How many mutants the judge noticed."""
        return sum(self.fates.get(fate, 0) for fate in CAUGHT)


def kept_of(score: Score, key: str) -> KeptScore:
    """What is kept of a score."""
    return KeptScore(
        score.scenario,
        score.environment,
        score.loader,
        str(score.plain),
        len(score.mutants),
        {str(fate): score.count(fate) for fate in Fate},
        tuple(mutant for mutant in score.mutants if mutant.fate in (Fate.SAME, Fate.MOOT)),
        score.faults,
        key,
    )


def read_scores(folder: Path) -> tuple[KeptScore, ...]:
    """The scores of an earlier `mutation.json`; none if there is no such file.

    Raises:
        UsageError: the file is something else.
    """
    path = folder / _NAME
    if not path.exists():
        return ()
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_ScoreFile)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path} is not a mutation score: {error}", "move it away") from None
    if found.schema != SCHEMA:
        raise UsageError(f"{path} has schema {found.schema}, not {SCHEMA}", "move it away")
    return found.rows


def write_scores(folder: Path, scores: tuple[KeptScore, ...]) -> tuple[Path, Path]:
    """Write `mutation.json`, a score on each line, and `mutation.md`."""
    lines = ",\n".join(msgspec.json.encode(row).decode() for row in scores)
    data = f'{{"schema":{json.dumps(SCHEMA)},"rows":[\n{lines}\n]}}\n'
    write_atomically(folder / _NAME, data.encode())
    markdown = folder / "mutation.md"
    write_atomically(markdown, ("\n".join(_lines(scores)) + "\n").encode())
    return folder / _NAME, markdown


@dataclass(frozen=True)
class _ScoreFile:
    schema: str
    rows: tuple[KeptScore, ...]


def _lines(rows: tuple[KeptScore, ...]) -> Iterator[str]:
    made, caught = sum(row.made for row in rows), sum(row.caught for row in rows)
    moot = sum(row.fates[Fate.MOOT] for row in rows)
    same = sum(row.fates[Fate.SAME] for row in rows)
    faults = [(row, mutant) for row in rows for mutant in row.faults]
    yield "# Mutation score of the judge"
    yield ""
    yield (
        f"{made} altered checkpoints of {len(rows)} scenarios: {caught} noticed, {same} bring back "
        f"the very same state, {moot} belong to nothing that the reader gets back anyway, "
        f"{len(faults)} speak against the judge."
    )
    yield ""
    yield f"| {' | '.join(_COLUMNS)} |"
    yield f"|---|---|---|{'---:|' * (len(_COLUMNS) - 3)}"
    for row in rows:
        values = (row.scenario, row.environment, row.plain, row.made)
        fates = (row.fates[fate] for fate in _HARMLESS)
        yield f"| {' | '.join(map(str, (*values, *fates, len(row.faults))))} |"
    if faults:
        yield from ("", "## Faults", "")
        for row, mutant in faults:
            yield f"- {row.scenario}: {_place(mutant)}: {mutant.fate}: {mutant.detail}"
    yield from ("", "## Mutants with nothing to notice", "")
    for reason, places in _by_reason(rows).items():
        yield f"- {reason}:"
        for place, scenarios in list(places.items())[:_PLACES]:
            yield f"  - {place}, in {len(scenarios)} of the scenarios"
        if len(places) > _PLACES:
            yield f"  - and {len(places) - _PLACES} places more, all in `{_NAME}`"


def _by_reason(rows: tuple[KeptScore, ...]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for mutant in row.same:
            found[mutant.detail][_place(mutant)].append(row.scenario)
    return found


def _place(mutant: Mutant) -> str:
    path = "/".join(str(key) for key in mutant.path)
    return f"`{mutant.file}{': ' if path else ''}{path}`, {mutant.kind}"
