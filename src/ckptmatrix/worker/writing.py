"""Write one checkpoint, and beside it everything that a reader will be judged by."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from ckptmatrix.worker import stored
from ckptmatrix.worker.finding import find_scenario
from ckptmatrix.worker.neutral import Neutral
from ckptmatrix.worker.release import unusable_on
from ckptmatrix.worker.training import Scenario, Training, seed_everything

WRITER_SEED = 11


def capture(scenario: Scenario, training: Training) -> Neutral:
    """The true state of every component, neutral."""
    return Neutral.of({part.name: part.capture(training) for part in scenario.components})


def write(request: dict[str, Any]) -> dict[str, Any]:
    """Train, capture, save, and train on.

    Args:
        request: `scenario` (`module:object`), `device`, and `target`, an empty directory.

    Returns:
        `status` (`written`, `unsupported`, `failed`), `reason`, and when written: `directory` (its
        name below the target), `files`, `keys`, `hashes`, `unsaved`, `digest` of the neutral state,
        and `trace`, the training after the save. `truth.json` and `truth.safetensors` lie beside
        the checkpoint.
    """
    scenario, device, target = (
        find_scenario(request["scenario"]),
        request["device"],
        request["target"],
    )
    reason = unusable_on(device) or scenario.unsupported(device)
    if reason:
        return {"status": "unsupported", "reason": reason}
    seed_everything(WRITER_SEED)
    training = scenario.build(device)
    scenario.verify(training)
    scenario.before(training)
    truth = capture(scenario, training)
    try:
        directory = scenario.save(training, target)
    except Exception as error:  # noqa: BLE001 - whatever save_state raises is the outcome to record
        return {"status": "failed", "reason": f"save_state raised {type(error).__name__}: {error}"}
    if capture(scenario, training).all_leaves() != truth.all_leaves():
        raise RuntimeError("saving changed the training state")
    stem = os.path.join(target, "truth")
    truth.save(stem)
    sizes, keys = stored.describe(directory)
    return {
        "status": "written",
        "reason": "",
        "directory": os.path.relpath(directory, target),
        "files": sizes,
        "keys": keys,
        "hashes": {path: digest_of(os.path.join(directory, path)) for path in sizes},
        "unsaved": stored.unsaved(training, truth, scenario.stored(training, directory)),
        "digest": digest_of(stem + ".json", stem + ".safetensors"),
        "trace": scenario.after(training),
    }


def digest_of(*paths: str) -> str:
    """SHA-256 of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()
