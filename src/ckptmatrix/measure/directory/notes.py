"""What a person must know of the stand-in to read its row rightly. Pure."""

import re
from collections.abc import Iterator

from ckptmatrix.checkpoint.inspect.inspection import Inspection
from ckptmatrix.measure.directory.stand_in import overlooked
from ckptmatrix.measure.directory.truth import Truth
from ckptmatrix.model import Device
from ckptmatrix.worker.stand_in import StandIn

_EMBEDDING = re.compile(r"embed|\bwte\b|\bshared\.weight")


def notes_of(found: Inspection, stand_in: StandIn, truth: Truth, device: Device) -> tuple[str, ...]:
    """What the stand-in has and has not, one sentence each.

    Args:
        found: what was seen in the user's directory.
        stand_in: what is loaded into.
        truth: what it is compared with.
        device: where it is loaded.
    """
    return (
        "Training on is not tried, nor the place in the data, as that needs your code: the row "
        "says what came back of the files.",
        *_missing(found, stand_in, truth),
        *_stood_in_for(found, stand_in),
        *_left_out(found, stand_in, truth, device),
    )


def _missing(found: Inspection, stand_in: StandIn, truth: Truth) -> Iterator[str]:
    if truth.unsaved:
        yield f"Not in the directory, so no reader can restore it: {', '.join(truth.unsaved)}."
    if stand_in.schedulers and overlooked(found.facts):
        yield (
            "optimizer.bin has the marks of a scheduler, and there is no scheduler.bin: the "
            "stand-in prepares a scheduler (--no-scheduler if your script does not)."
        )
    if "model" not in truth.trees:
        yield "No weights were found that are loaded by accelerate or by hooks that are known here."


def _stood_in_for(found: Inspection, stand_in: StandIn) -> Iterator[str]:
    if stand_in.hooks:
        read = f", and reads {', '.join(stand_in.hooked)}" if stand_in.hooked else ""
        yield (
            "In place of your script's load hook there is one that takes every other model "
            f"out{read}."
        )
    if any(kind == "" for kind in stand_in.optimizers):
        yield "An optimizer of a kind that readers do not have is stood in for by one of any state."
    models = found.facts.models
    names = [spec.name for model in models for spec in model.tensors]
    stored_once = all(model.format == "safetensors" for model in models) and not any(stand_in.tied)
    if stored_once and any(_EMBEDDING.search(name) for name in names):
        yield "If a weight is tied to an embedding, name it with --tied: no file here tells."
    if names and all(name.startswith("_orig_mod.") for name in names):
        yield "It was saved from a compiled model; it is tried as a plain one of those names."


def _left_out(found: Inspection, stand_in: StandIn, truth: Truth, device: Device) -> Iterator[str]:
    facts = found.facts
    if facts.samplers:
        yield f"Not tried, as it needs your dataset: {', '.join(facts.samplers)}."
    ranks = len(facts.random)
    if ranks > 1:
        yield f"{ranks} processes wrote it; it is tried with one, on random_states_0.pkl."
    if "rng.cuda" in truth.trees and device == Device.CPU:
        yield "The CUDA random states are tried with --device cuda alone."
    if stand_in.scaler and device == Device.CPU:
        yield "scaler.pt is tried with --device cuda alone."
    for name, why in truth.opaque.items():
        yield f"{name} is loaded and not compared: {why}"
