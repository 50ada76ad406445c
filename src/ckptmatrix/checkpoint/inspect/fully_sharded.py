"""The imagined load of fully sharded training (FSDP): its weights and its optimizer.

What becomes of them hangs on FSDP's version, which the script chooses, on whether the state is
gathered or in shards, and on the release; `knowledge.releases` says how.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import Version

from ckptmatrix.checkpoint.format.names import FSDP_WEIGHTS, FileKind
from ckptmatrix.checkpoint.inspect.facts import DECOUPLED, Facts
from ckptmatrix.checkpoint.inspect.simulated_load import (
    NotPredictedError,
    RaisedError,
    SimulatedLoad,
    open_file,
)
from ckptmatrix.checkpoint.inspect.telling_fsdp import Fsdp
from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.knowledge.releases import ACCELERATE, TORCH, FullySharded, Release
from ckptmatrix.model import Verdict


class Kind(StrEnum):
    """How model and optimizer are saved."""

    GATHERED = "gathered"
    """`FULL_STATE_DICT`: one file each."""
    SHARDS = "in shards"
    """`SHARDED_STATE_DICT`: a folder of shards each."""


class NeverReturnsError(Exception):
    """Ends the imagined load that would not end; the text says why.

    Attributes:
        cause: the same in one word.
    """

    cause = CauseId.FSDP_WAITS


class UnsupportedError(Exception):
    """Ends the imagined load that cannot be: the reader has no such training. The text says why."""

    cause = CauseId.FSDP_MISSING


@dataclass(frozen=True)
class FullyShardedState:
    """What a directory holds of fully sharded training."""

    kinds: frozenset[Kind]
    """How it is saved; more than one, or none, if the files leave that open."""
    weights: str
    """What the weights' file or folder is called, without number and ending."""

    @property
    def named_new(self) -> bool:
        """Whether the weights are called as from 0.25.0 on."""
        return self.weights == FSDP_WEIGHTS


_SHARDS = re.compile(rf"({FSDP_WEIGHTS}|{FileKind.MODEL_BIN.stem})_\d+/(?:\.metadata|.*\.distcp)")
_OPTIMIZER_SHARDS = re.compile(rf"{FileKind.OPTIMIZER.stem}_\d+/(?:\.metadata|.*\.distcp)")
_GATHERED = re.compile(rf"({FSDP_WEIGHTS}|{FileKind.MODEL_BIN.stem})(?:_\d+)?\.bin")


def fully_sharded_state(facts: Facts) -> FullyShardedState:
    """What a directory that is known to be of FSDP holds."""
    kinds, weights = set(), FSDP_WEIGHTS
    for pattern, kind in ((_SHARDS, Kind.SHARDS), (_GATHERED, Kind.GATHERED)):
        for file in facts.files:
            if match := pattern.fullmatch(file.name):
                kinds.add(kind)
                weights = match[1]
    return FullyShardedState(frozenset(kinds), weights)


def _made_of(release: Release, fsdp: Fsdp, kind: Kind) -> FullySharded:
    """What a release makes of weights and optimizer."""
    return {
        (Fsdp.FSDP1, Kind.GATHERED): release.fsdp1_gathered,
        (Fsdp.FSDP1, Kind.SHARDS): release.fsdp1_shards,
        (Fsdp.FSDP2, Kind.GATHERED): release.fsdp2_gathered,
        (Fsdp.FSDP2, Kind.SHARDS): release.fsdp2_shards,
    }[fsdp, kind]


def _first_with(fsdp: Fsdp, kind: Kind) -> Version:
    """The first release that has it."""
    return next(
        start
        for start in ACCELERATE.starts
        if _made_of(ACCELERATE.at(str(start)), fsdp, kind) is not FullySharded.NONE
    )


def _fsdp(load: SimulatedLoad) -> Fsdp:
    if load.fsdp is None:
        raise NotPredictedError("whether the script uses FSDP1 or FSDP2 no file says.")
    return load.fsdp


def _kind(facts: Facts) -> Kind:
    """How model and optimizer are saved.

    Raises:
        NotPredictedError: the files leave it open.
    """
    kinds = fully_sharded_state(facts).kinds
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds:
        raise NotPredictedError(
            "FSDP's state is there gathered and in shards; which one is read the script says."
        )
    raise NotPredictedError("FSDP's state is kept for each process by itself.")


def models(load: SimulatedLoad) -> None:
    """The weights, which are read before the optimizer."""
    reader, fsdp, kind, state = (
        load.reader,
        _fsdp(load),
        _kind(load.facts),
        fully_sharded_state(load.facts),
    )
    outcome = _made_of(reader.release, fsdp, kind)
    if outcome is FullySharded.NONE:
        raise UnsupportedError(f"accelerate has {fsdp} {kind} from {_first_with(fsdp, kind)} on.")
    first = TORCH.first_with(newest_fsdp=1)
    if reader.newest_fsdp == 0:
        raise NotPredictedError(f"fully sharded training has been measured from torch {first} on.")
    if outcome is FullySharded.NOT_MEASURED:
        raise NotPredictedError(f"{fsdp} has not been measured with this release of accelerate.")
    if reader.newest_fsdp < fsdp.number:
        first = TORCH.first_with(newest_fsdp=fsdp.number)
        raise UnsupportedError(f"accelerate's {fsdp} needs torch {first} or newer.")
    if state.named_new != load.reader.release.names_fsdp_weights:
        _other_name(load, state, kind)
    if outcome is FullySharded.WAITS:
        until = ACCELERATE.span_of(fsdp2_gathered=FullySharded.WAITS).words
        raise NeverReturnsError(
            f"accelerate {until} has the first process send a gathered state to the others, which "
            "do not take part: the load never returns."
        )
    if kind is Kind.GATHERED:
        for file in load.facts.files:
            if _GATHERED.fullmatch(file.name):
                open_file(load, file.name, weights_only=load.reader.refuses)
    else:
        _look_at_shards(load, _SHARDS)
    load.verdicts["model"] = Verdict.RESTORED


def _other_name(load: SimulatedLoad, state: FullyShardedState, kind: Kind) -> None:
    """The weights are looked for under the name that they have on the other side of 0.25.0."""
    new, first = FSDP_WEIGHTS, ACCELERATE.first_with(names_fsdp_weights=True)
    wanted = FileKind.MODEL_BIN.stem if state.named_new else new
    missing = f"{wanted}.bin" if kind is Kind.GATHERED else f"{wanted}_0/.metadata"
    raised = "FileNotFoundError" if kind is Kind.GATHERED else "CheckpointException"
    raise RaisedError(
        f"{raised}: [Errno 2] No such file or directory: '.../{missing}'",
        CauseId.FSDP_NAMES,
        f"accelerate {load.reader.accelerate} looks for FSDP's weights as {wanted}; here they are "
        f"{state.weights}. Releases from {first} on say {new}.",
    )


def _look_at_shards(load: SimulatedLoad, pattern: re.Pattern[str]) -> None:
    """What torch makes of a folder's `.metadata`, before it looks for anything in the shards.

    Raises:
        NotPredictedError: one of the files has not been read.
        RaisedError: torch does not understand the description.
    """
    files = [file for file in load.facts.files if pattern.fullmatch(file.name)]
    for file in files:
        if file.problem:
            raise NotPredictedError(f"{file.name} {file.problem}.")
    described = next((file for file in files if file.strides), None)
    if described is not None and not TORCH.at(load.reader.torch).knows_strides:
        raise RaisedError(
            "CheckpointException: ValueError: too many values to unpack (expected 5)",
            CauseId.SHARDS_NEWER_TORCH,
            f"{described.name} has the strides of tensors, as torch from "
            f"{TORCH.first_with(knows_strides=True)} on writes it; torch {load.reader.torch} does "
            "not take them.",
        )


def optimizers(load: SimulatedLoad) -> None:
    """The optimizer's state."""
    fsdp, kind = _fsdp(load), _kind(load.facts)
    outcome = _made_of(load.reader.release, fsdp, kind)
    if kind is Kind.GATHERED:
        for file in load.facts.files:
            if FileKind.OPTIMIZER.index(file.name) is not None:
                open_file(load, file.name, weights_only=load.reader.refuses)
    else:
        _fill_in(load, fsdp, outcome)
    if outcome is not FullySharded.LOST:
        load.verdicts["optimizer"] = Verdict.RESTORED
        return
    load.verdicts["optimizer"] = Verdict.WRONG  # its groups come back, and no moments
    load.notes.append(
        (
            CauseId.OPTIMIZER_SHARDS_UNREAD,
            f"accelerate {load.reader.accelerate} reads the shards of {fsdp}'s optimizer "
            "into one that has no state yet, so nothing is read, and nothing is said. "
            "`ckptmatrix.resume.load_state` restores it"
            + (", but not this one." if _numbered(load.facts) else "."),
        )
    )


def _numbered(facts: Facts) -> bool:
    """Whether shards go by numbers of parameters, as accelerate's first release with FSDP2 saves
    them; FSDP1's never do."""
    return any(one.state_keys and not one.by_name for one in facts.optimizers)


def _fill_in(load: SimulatedLoad, fsdp: Fsdp, outcome: FullySharded) -> None:
    """torch fills in what the optimizer has from the shards, and raises for what they lack.

    Under FSDP1 a release that restores the optimizer has torch ask the shards what there is.
    """
    stepped = fsdp is Fsdp.FSDP2 and outcome is FullySharded.RESTORED
    if stepped:
        load.verdicts["optimizer"] = Verdict.WRONG  # it has a state by then, which is not the saved
    _look_at_shards(load, _OPTIMIZER_SHARDS)
    if fsdp is Fsdp.FSDP1 and outcome is FullySharded.RESTORED:
        return
    lacking = any(one.adam_decouples is False for one in load.facts.optimizers)
    if lacking and TORCH.at(load.reader.torch).adam_decouples:
        raise RaisedError(
            f"{_MISSING}optimizer.param_groups.0.{DECOUPLED}",
            CauseId.OPTIMIZER_KEYS_MISSING,
            f"Adam of torch {load.reader.torch} has {DECOUPLED} in its groups, which torch from "
            f"{TORCH.first_with(adam_decouples=True)} on saves; these shards lack it. "
            "`ckptmatrix.resume.load_state` restores the optimizer.",
        )
    if stepped and _numbered(load.facts):
        raise RaisedError(
            f"{_MISSING}optimizer.state.",
            CauseId.FSDP_NUMBERS,
            f"the shards of the optimizer go by numbers of parameters, as accelerate "
            f"{_first_with(fsdp, Kind.SHARDS)} saves them; {load.reader.accelerate} looks for "
            "names.",
        )


_MISSING = "CheckpointException: RuntimeError: Missing key in checkpoint state_dict: "


def scaler(load: SimulatedLoad) -> None:
    """The gradient scaler, which counts the step by which FSDP2's optimizer gets a state."""
    if load.fsdp is Fsdp.FSDP2:
        load.verdicts["scaler"] = Verdict.WRONG
        load.notes.append(
            (
                CauseId.FSDP_SCALER_COUNTS,
                "Under FSDP2 load_state has torch make the optimizer's state by a step, which the "
                "gradient scaler counts: its growth tracker is one more than was saved.",
            )
        )
