"""What is known to go wrong with accelerate's checkpoints: each point is seen in a cell."""

from dataclasses import dataclass

import pytest

from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Environment, summary
from tests.support.places import NEWEST

pytestmark = pytest.mark.environments

DEFAULT_REFUSES = Environment("1.0.1", "torch2.15-np2")
"""Unpickles as torch 2.6 and newer do by default."""
BEFORE_STEP = Environment("0.31.0", "torch2.4-np1")
"""The last that neither saves nor restores `step`; its torch refuses nothing."""
SAME_TORCH = Environment("1.15.0", "torch2.4-np1")
"""The newest release, on the same stack as the old ones below and above."""
EACH_MICRO_BATCH = Environment("0.15.0", "torch2.4-np1")
"""Steps the scheduler with every micro-batch, and knows no safetensors."""
EIGHT_BIT = Environment("1.15.0", "torch2.15-np2-8bit")
"""With bitsandbytes and torchao."""
TAKES_BACK = Environment("1.14.0", "torch2.15-np2")
"""The last whose `skip_first_batches` begins at epoch 0."""


@dataclass(frozen=True)
class Point:
    """One point, and a cell that shows it."""

    scenario: str
    """Name of the scenario."""
    status: str
    """What is measured."""
    told: tuple[str, ...] = ()
    """What the outcome says, in one line each."""
    writer: Environment = NEWEST
    """Who saves."""
    reader: Environment = NEWEST
    """Who loads."""
    loader: str = "accelerate"
    """By what."""


POINTS = {
    "random states and step are lost silently": Point(
        "basic", "degraded", ("rng.python, rng.numpy, rng.torch, step",), reader=DEFAULT_REFUSES
    ),
    "schedulers count otherwise under accumulation": Point(
        "accumulation-aligned", "degraded", ("wrong scheduler",), EACH_MICRO_BATCH, SAME_TORCH
    ),
    # The schedule is restored in the reader's count; its rates are not those that the writer, which
    # counts otherwise, would have gone on with.
    "resume counts them anew, at the reader's rates": Point(
        "accumulation-aligned",
        "degraded",
        ("training differs in lr",),
        EACH_MICRO_BATCH,
        SAME_TORCH,
        "ckptmatrix",
    ),
    "and the reverse": Point(
        "accumulation-aligned",
        "degraded",
        ("training differs in lr",),
        SAME_TORCH,
        EACH_MICRO_BATCH,
        "ckptmatrix",
    ),
    "unless no file tells whether a round was under way": Point(
        "accumulation-aligned",
        "failed",
        ("ResumeError",),
        BEFORE_STEP,
        EACH_MICRO_BATCH,
        "ckptmatrix",
    ),
    "the older of two weights files comes back": Point("stale-files", "degraded", ("wrong model",)),
    "and the reverse, for readers without safetensors": Point(
        "stale-files-reversed", "degraded", ("wrong model",), reader=EACH_MICRO_BATCH
    ),
    "the counter of saves is not restored": Point(
        "automatic-naming", "degraded", ("unsaved naming", "training differs in checkpoints")
    ),
    "the seedable sampler starts over": Point(
        "mid-epoch-seedable", "degraded", ("unsaved dataloader", "training differs in samples")
    ),
    "unless the script says which epoch it is": Point("mid-epoch-set-epoch", "exact"),
    "which the loader that skips takes back in some releases": Point(
        "mid-epoch-set-epoch", "degraded", ("training differs in samples",), TAKES_BACK, TAKES_BACK
    ),
    "a plain shuffle is drawn anew": Point(
        "mid-epoch", "degraded", ("unsaved dataloader", "training differs in samples")
    ),
    "tied weights are missed": Point(
        "tied-weights", "failed", ("RuntimeError",), BEFORE_STEP, BEFORE_STEP
    ),
    "views of one storage are dropped": Point("shared-views", "failed", ("RuntimeError",)),
    "a partial view is refused": Point("partial-view", "failed", ("covering the entire storage",)),
    "an empty buffer is dropped": Point("empty-buffers", "failed", ("RuntimeError",)),
    "a dict as extra state cannot be saved": Point(
        "extra-state", "not-run", ("save_state raised AttributeError",)
    ),
    "compiled names fit no plain model": Point("compiled-to-plain", "failed", ("RuntimeError",)),
    "and plain names no compiled one": Point("plain-to-compiled", "failed", ("RuntimeError",)),
    "what accelerate compiles has plain names": Point("compiled-by-accelerate-to-plain", "exact"),
    "numpy in a registered object is refused": Point(
        "custom-objects", "failed", ("UnpicklingError",), reader=DEFAULT_REFUSES
    ),
    "numpy in a scheduler is refused": Point("scheduler-numpy", "failed", ("UnpicklingError",)),
    "a numpy learning rate is refused": Point("numpy-lr", "failed", ("UnpicklingError",)),
    "another number of registered objects": Point(
        "custom-objects-fewer", "failed", ("Number of custom checkpoints",)
    ),
    "only a warning for old readers": Point(
        "custom-objects-fewer", "degraded", ("lost custom",), EACH_MICRO_BATCH, EACH_MICRO_BATCH
    ),
    "strict=False reaches the model": Point("strict-false", "exact"),
    "assign=True is refused": Point("assign", "failed", ("argument 'assign'",)),
    "assign=True lets training stand still": Point(
        "assign", "degraded", ("training differs in loss",), EACH_MICRO_BATCH, SAME_TORCH
    ),
    "several models": Point("two-models", "exact"),
    "float16 weights that were saved as float32": Point(
        "fp16-weights", "exact", (), EACH_MICRO_BATCH, SAME_TORCH
    ),
    "bitsandbytes' codes come back": Point("adam-8bit", "exact", (), EIGHT_BIT, EIGHT_BIT),
    "paged ones too": Point("paged-adamw-8bit", "exact", (), EIGHT_BIT, EIGHT_BIT),
    "and torchao's": Point("adamw-8bit-torchao", "exact", (), EIGHT_BIT, EIGHT_BIT),
    "which resume does not unpickle unasked": Point(
        "adamw-8bit-torchao", "failed", ("ResumeError",), EIGHT_BIT, EIGHT_BIT, "ckptmatrix"
    ),
    "no 8 bits where the package is not": Point(
        "adam-8bit", "unsupported", ("this stack has no bitsandbytes",)
    ),
    "no scaler without a GPU": Point("fp16-scaler", "unsupported", ("on a GPU only",)),
    "gradients come back nowhere": Point(
        "accumulation", "degraded", ("unsaved gradients", "training differs in loss")
    ),
    "and without step the next round is another": Point(
        "accumulation",
        "degraded",
        ("lost step", "training differs in synced"),
        SAME_TORCH,
        BEFORE_STEP,
    ),
}


@pytest.mark.parametrize("point", POINTS.values(), ids=list(POINTS))
def test_it_is_seen(lab: Lab, point: Point) -> None:
    record = lab.outcome(Cell(point.writer, point.reader, point.scenario, point.loader))
    told = summary(record)
    assert record.status == point.status, told
    for text in point.told:
        assert text in told
