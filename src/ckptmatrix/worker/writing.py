"""Write one checkpoint, and beside it everything that a reader will be judged by."""

from __future__ import annotations

import hashlib
import os

from ckptmatrix.worker import stored
from ckptmatrix.worker.finding import find_scenario
from ckptmatrix.worker.launching import Ranks
from ckptmatrix.worker.merging import of_rank
from ckptmatrix.worker.neutral import Neutral
from ckptmatrix.worker.protocol import Saved, SaveFailed, Unsupported, Write, WriteAnswer
from ckptmatrix.worker.release import unusable_on
from ckptmatrix.worker.training import Scenario, Training, UnsupportedError, seed_everything

WRITER_SEED = 11

_APART = 100
"""Between the seeds of two ranks: had they one seed, a rank could be right by another's state."""


def capture(scenario: Scenario, training: Training) -> Neutral:
    """The true state of every component, neutral."""
    return Neutral.of({part.name: part.capture(training) for part in scenario.components})


def build(
    scenario: Scenario, device: str, seed: int, ranks: Ranks, reads: bool = False
) -> Training:
    """Seeded, built as the writer's script does or the reader's, and checked to be that.

    Raises:
        UnsupportedError: this release cannot build it on this device.
        RuntimeError: it is something else.
    """
    seed_everything(seed + _APART * ranks.rank)
    training = (scenario.build_reader if reads else scenario.build)(device)
    built = training.accelerator.num_processes
    if built != ranks.count:
        raise RuntimeError(f"asked for {ranks.count} processes, got {built}")
    scenario.verify(training)
    return training


def write(request: Write, ranks: Ranks) -> WriteAnswer:
    """Train, capture, save, and train on: what one process does of it.

    `truth.json` and `truth.safetensors` come to lie beside the checkpoint, those of rank 1 as
    `truth@1`.

    Raises:
        RuntimeError: what was built is something else.
    """
    scenario, device, target = find_scenario(request.scenario), request.device, request.target
    reason = unusable_on(device) or scenario.unsupported(device)
    if reason:
        return Unsupported(reason)
    seed = WRITER_SEED if request.seed is None else request.seed
    try:
        training = build(scenario, device, seed, ranks)
    except UnsupportedError as error:
        return Unsupported(str(error))
    scenario.before(training)
    directory, reason = "", ""
    try:
        directory = scenario.save(training, target)
    except BaseException as error:  # what save_state raises is the outcome to record
        if not of_the_library(error):
            raise
        reason = f"save_state raised {type(error).__name__}: {error}"
    if ranks.any(bool(reason)):
        return SaveFailed(reason or "save_state raised in another process")
    # Hooks may draw random numbers while they save; training goes on from what is there after it.
    truth = capture(scenario, training)
    truth.save(truth_stem(target, ranks.rank))
    ranks.any(False)  # from here on every rank's files are there
    stems = [truth_stem(target, rank) for rank in range(ranks.count)]
    sizes, keys = stored.describe(directory)
    return Saved(
        directory=os.path.relpath(directory, target),
        files=sizes,
        keys=keys,
        hashes={path: digest_of(os.path.join(directory, path)) for path in sizes},
        unsaved=stored.unsaved(training, truth, scenario.stored(training, directory)),
        tied=stored.tied(training, keys),
        digest=digest_of(*(stem + end for stem in stems for end in (".json", ".safetensors"))),
        trace=tuple(scenario.after(training)),
        note=scenario.note(device),
    )


def of_the_library(error: BaseException) -> bool:
    """Whether the code under test may have raised it, rather than this package or the system.

    torch's `CheckpointException` is no `Exception`.
    """
    return isinstance(error, Exception) or type(error).__module__.startswith("torch.")


def truth_stem(place: str, rank: int) -> str:
    """Where a rank's neutral state lies, without `.json` and `.safetensors`."""
    return os.path.join(place, of_rank("truth", rank))


def digest_of(*paths: str) -> str:
    """SHA-256 of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()
