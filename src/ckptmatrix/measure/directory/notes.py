"""What a person must know of the stand-in to read its row rightly. Pure."""

import re
from collections.abc import Iterator

from ckptmatrix.checkpoint.inspect.inspection import Inspection
from ckptmatrix.measure.directory.stand_in import overlooked
from ckptmatrix.measure.directory.truth import Truth
from ckptmatrix.worker.stand_in import StandIn

_EMBEDDING = re.compile(r"embed|\bwte\b|\bshared\.weight")


def notes_of(found: Inspection, told: StandIn, truth: Truth, device: str) -> tuple[str, ...]:
    """What the stand-in has and has not, one sentence each.

    Args:
        found: what was seen in the user's directory.
        told: the stand-in.
        truth: what it is compared with.
        device: `cpu` or `cuda`.
    """
    return (
        "Training on is not tried, nor the place in the data, as that needs your code: the row "
        "says what came back of the files.",
        *_missing(found, told, truth),
        *_stood_in_for(found, told),
        *_left_out(found, told, truth, device),
    )


def _missing(found: Inspection, told: StandIn, truth: Truth) -> Iterator[str]:
    if truth.unsaved:
        yield f"Not in the directory, so no reader can restore it: {', '.join(truth.unsaved)}."
    if told.schedulers and overlooked(found.facts):
        yield (
            "optimizer.bin has the marks of a scheduler, and there is no scheduler.bin: the "
            "stand-in prepares a scheduler (--no-scheduler if your script does not)."
        )
    if "model" not in truth.trees:
        yield "No weights were found that are loaded by accelerate or by hooks that are known here."


def _stood_in_for(found: Inspection, told: StandIn) -> Iterator[str]:
    if told.hooks:
        read = f", and reads {', '.join(told.hooked)}" if told.hooked else ""
        yield (
            "In place of your script's load hook there is one that takes every other model "
            f"out{read}."
        )
    if any(kind == "" for kind in told.optimizers):
        yield "An optimizer of a kind that readers do not have is stood in for by one of any state."
    models = found.facts.models
    names = [spec.name for model in models for spec in model.tensors]
    told_once = all(model.format == "safetensors" for model in models) and not any(told.tied)
    if told_once and any(_EMBEDDING.search(name) for name in names):
        yield "If a weight is tied to an embedding, name it with --tied: no file here tells."
    if names and all(name.startswith("_orig_mod.") for name in names):
        yield "It was saved from a compiled model; it is tried as a plain one of those names."


def _left_out(found: Inspection, told: StandIn, truth: Truth, device: str) -> Iterator[str]:
    facts = found.facts
    if facts.samplers:
        yield f"Not tried, as it needs your dataset: {', '.join(facts.samplers)}."
    ranks = len(facts.random)
    if ranks > 1:
        yield f"{ranks} processes wrote it; it is tried with one, on random_states_0.pkl."
    if "rng.cuda" in truth.trees and device == "cpu":
        yield "The CUDA random states are tried with --device cuda alone."
    if told.scaler and device == "cpu":
        yield "scaler.pt is tried with --device cuda alone."
    for name, why in truth.opaque.items():
        yield f"{name} is loaded and not compared: {why}"
