"""The mutation score: altered checkpoints, one place at a time, and whether the judge noticed.

A judge that says `exact` is worth what it would have said of a checkpoint with one wrong bit. So
every file and every key of a scenario's checkpoint is dropped, zeroed, flipped in one bit, swapped
with another, and replaced by that of another run, each in a copy of its own, and loaded.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatch
from itertools import groupby
from pathlib import Path

from packaging.version import Version

from ckptmatrix.measure.checkpoints import WRITE_SECONDS
from ckptmatrix.measure.faults import HarnessError
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, CellRecord, Environment, Status, Verdict, summary
from ckptmatrix.worker.protocol import Alteration, NotReturned, Returned, Saved, Write
from ckptmatrix.worker.words import AlterationKind, Device

OTHER_SEED = 55
"""Of the other run, which is the writer's own training from another start."""


class Fate(StrEnum):
    """What the judge made of an altered checkpoint."""

    NAMED = "named"
    """It named exactly the components that the altered place belongs to; of those
    that processes hold in slices, one at least and no other."""
    LOUD = "loud"
    """The load refused it: nobody could take it for whole."""
    SPREAD = "spread"
    """It named those and others too that the load gave up on: the rest of the same file."""
    SAME = "same"
    """The altered file brings back the very same state: there is nothing to notice."""
    MOOT = "moot"
    """It belongs to nothing that this reader has, or gets back from the file as it is."""
    ELSEWHERE = "elsewhere"
    """It named something else. A fault of the judge."""
    MISSED = "missed"
    """It called it whole. A fault of the judge."""


CAUGHT = (Fate.NAMED, Fate.LOUD, Fate.SPREAD)
"""The judge noticed."""


@dataclass(frozen=True)
class Mutant:
    """An altered checkpoint and what the judge made of it."""

    file: str
    """The altered file, below the checkpoint's directory."""
    path: tuple[str | int, ...]
    """Keys and indices of the altered place in it; empty for the whole file."""
    kind: str
    """`drop`, `zero`, `flip`, `swap` or `other run`."""
    owners: tuple[str, ...]
    """Components that the place belongs to."""
    fate: Fate
    """What the judge made of it."""
    detail: str = ""
    """The judge's words; for `same` why it is."""


@dataclass(frozen=True)
class Score:
    """All mutants of one scenario's checkpoint."""

    scenario: str
    """Name of the scenario."""
    environment: str
    """Id of the environment that wrote and read it."""
    loader: str
    """Name of the loader."""
    plain: Status
    """The outcome without any alteration."""
    mutants: tuple[Mutant, ...] = ()
    """One for each alteration; none if the load refuses the checkpoint as it is."""

    def count(self, *fates: Fate) -> int:
        """How many mutants had one of these fates."""
        return sum(mutant.fate in fates for mutant in self.mutants)

    @property
    def faults(self) -> tuple[Mutant, ...]:
        """What speaks against the judge."""
        return tuple(m for m in self.mutants if m.fate in (Fate.MISSED, Fate.ELSEWHERE))


def subject(
    lab: Lab, scenario: str, loader: str, environments: Iterable[Environment]
) -> Cell | None:
    """The cell whose checkpoint shows most: an environment with itself.

    Of the newest release that loads its own checkpoints of this scenario at all, on the last stack
    on which that is exact, else on the one where most components come back. None if none does.
    """
    last_first = list(environments)[::-1]
    newest_first = sorted(last_first, key=lambda e: Version(e.accelerate), reverse=True)
    for _, stacks in groupby(newest_first, key=lambda e: e.accelerate):
        best, most = None, -1
        for environment in stacks:
            cell = Cell(environment, environment, scenario, loader)
            record = lab.outcome(cell)
            if record.status == Status.EXACT:
                return cell
            restored = sum(v == Verdict.RESTORED for v in record.components.values())
            if record.resume is not None and restored > most:
                best, most = cell, restored
        if best:
            return best
    return None


def score(
    lab: Lab, cell: Cell, chosen: Callable[[int, Alteration], bool] = lambda number, what: True
) -> Score:
    """Alter the checkpoint of a cell in every way and have each loaded and judged.

    Args:
        lab: where it is measured.
        cell: an environment with itself.
        chosen: which alterations, by number and description; all by default.
    """
    plain = lab.measured(cell)
    written = lab.registry.written(cell.writer, cell.scenario)
    empty = Score(cell.scenario, cell.reader.id, cell.loader, plain.status)
    if plain.resume is None:
        return empty
    with tempfile.TemporaryDirectory() as place:
        other = _other_run(lab, cell, Path(place))
        loading = lab.loading(cell, written)
        answer = loading.alterations(other)
        if isinstance(answer, NotReturned):
            raise HarnessError(f"{cell.id}: its checkpoint cannot be altered", answer.detail)
        whole = {
            one.file: set(one.owners)
            for one in answer.value
            if one.kind is AlterationKind.DROP and not one.path
        }
        mutants = []
        for number, alteration in enumerate(answer.value):
            if not chosen(number, alteration):
                continue
            record = loading.altered(alteration, other)
            fate, detail = fate_of(alteration, whole, plain, record)
            where = (alteration.file, alteration.path, str(alteration.kind))
            mutants.append(Mutant(*where, alteration.owners, fate, detail))
    return replace(empty, mutants=tuple(mutants))


def _other_run(lab: Lab, cell: Cell, place: Path) -> str:
    """A checkpoint of the same training from another start; its directory."""
    scenario = lab.site.config.scenarios[cell.scenario]
    request = Write(scenario, Device(lab.site.device(cell.writer)), str(place), OTHER_SEED)
    answer = lab.registry.worker(cell.writer).ask(request, WRITE_SECONDS)
    if not isinstance(answer, Returned) or not isinstance(answer.value, Saved):
        raise HarnessError(f"{cell.id}: no other run to compare with", str(answer))
    return str(place / answer.value.directory)


def fate_of(
    alteration: Alteration,
    files: Mapping[str, set[str]],
    plain: CellRecord,
    record: CellRecord,
) -> tuple[Fate, str]:
    """What the judge made of an altered checkpoint, and its words.

    Args:
        alteration: what was changed.
        files: each file of the checkpoint, and the components that anything in it belongs to.
        plain: the outcome of the checkpoint as it is.
        record: that of the altered one.
    """
    said = summary(record)
    if record.status in (Status.FAILED, Status.CRASHED, Status.TIMEOUT):
        return (Fate.LOUD if plain.status != record.status else Fate.MISSED), said
    verdicts = {name: plain.components.get(name) for name in alteration.owners}
    owned = {name for name, verdict in verdicts.items() if verdict == Verdict.RESTORED}
    spoilt = {name for name, verdict in verdicts.items() if verdict in _NOT_BACK}
    turned = {name for name, now in record.components.items() if plain.components[name] != now}
    if not turned - spoilt and not owned and (spoilt or record.resume == plain.resume):
        return Fate.MOOT, "it belongs to nothing that this reader has or gets back"
    if owned and turned - spoilt == owned:
        return Fate.NAMED, said
    if alteration.sliced and turned - spoilt and turned - spoilt < owned:
        return Fate.NAMED, said
    if turned:
        # What a load gives up on half-way, it says on rank 0 alone.
        gave_up = bool(record.swallowed) or all("@" in name for name in turned)
        spread = gave_up and owned and owned < turned <= files[alteration.file]
        return (Fate.SPREAD if spread else Fate.ELSEWHERE), said
    if record.resume != plain.resume:
        return Fate.ELSEWHERE, said
    reason = _why_the_same(alteration, files)
    return (Fate.SAME, reason) if reason else (Fate.MISSED, said)


_NOT_BACK = (Verdict.LOST, Verdict.WRONG, Verdict.UNSAVED)


def _why_the_same(alteration: Alteration, files: Mapping[str, set[str]]) -> str:
    """Why an alteration changes nothing that anybody could notice; empty if it should."""
    if alteration.kind is AlterationKind.DROP and alteration.constant:
        return "every run has this value, and whoever reads the file fills it in"
    name = alteration.file
    if name.endswith(".bin") and name[len("pytorch_") : -len("bin")] + "safetensors" in files:
        return "the safetensors file beside it is the one that is read"
    path = "/".join(map(str, alteration.path))
    for file, place, kinds, reason in _EQUIVALENT:
        if fnmatch(alteration.file, file) and fnmatch(path, place):
            return reason if alteration.kind in kinds else ""
    return ""


_FLIP, _SWAP, _ZERO = AlterationKind.FLIP, AlterationKind.SWAP, AlterationKind.ZERO
_KNOWN_BY_ANY = (
    "set_optimizer_state_dict knows a group by any of its parameters, and the others are named"
)
_EQUIVALENT = (
    (
        "random_states_*.pkl",
        "random_state/0",
        (_FLIP,),
        "the version of Python's generator state, 3, becomes 2, which Python reads alike",
    ),
    (
        "optimizer*.bin",
        "param_groups/*/decoupled_weight_decay",
        (_FLIP, _ZERO),
        "AdamW sets it anew, whatever is read",
    ),
    (
        "scheduler*.bin",
        "mode_worse",
        (_FLIP, _ZERO),
        "ReduceLROnPlateau works it out anew from its mode, whatever is read",
    ),
    (
        "optimizer*.bin",
        "param_groups/*/params/*",
        (_FLIP, _SWAP, _ZERO),
        _KNOWN_BY_ANY,
    ),
    (
        "optimizer*/*.distcp",
        "optimizer.param_groups.*.params/*",
        (_FLIP, _SWAP, _ZERO),
        _KNOWN_BY_ANY,
    ),
    (
        "*/.metadata",
        "",
        (AlterationKind.OTHER_RUN,),
        "it says where the pieces of the shards lie, and another run's lie alike",
    ),
    (
        "*.index.json",
        "metadata/total_size",
        (_FLIP, _ZERO),
        "nobody reads it: accelerate takes the files that weight_map names",
    ),
    (
        "*.index.json",
        "weight_map/*",
        (_SWAP,),
        "every file that the map names is read whole, whatever it names it for",
    ),
)
"""File, path and kinds of single alterations that change nothing, each with the reason."""
