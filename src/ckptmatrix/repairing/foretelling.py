"""What a repaired checkpoint still can't do, and for which readers: said before anyone loads it."""

import re
from dataclasses import dataclass

from ckptmatrix.repairing import states
from ckptmatrix.repairing.plan import Plan

_PLAIN = re.compile(
    r"collections\.OrderedDict|_codecs\.encode|torch\.\w+|torch\.storage\.UntypedStorage"
    r"|torch\._utils\._rebuild_(tensor(_v2|_v3)?|parameter)|torch\.nn\.parameter\.Parameter"
    r"|(__builtin__|builtins)\.(set|complex|bytearray)"
)
"""What torch's own `weights_only` reads without being told."""


@dataclass(frozen=True)
class Foretold:
    """One thing that a reader will not restore."""

    readers: str
    """Which readers."""
    what: str
    """What happens."""
    why: str
    """The reason."""
    remedy: str
    """What can be done about it."""


def foretell(plan: Plan) -> list[Foretold]:
    """Everything that stays unmended, for the readers from 0.15.0 on."""
    return [*_weights(plan), *_names(plan), *_pickles(plan), *_missing(plan), _step(plan)]


def _step(plan: Plan) -> Foretold:
    return Foretold(
        "accelerate before 0.32.0",
        f"step keeps its value instead of {plan.step}",
        "these releases have no code that restores it (huggingface/accelerate#2765)",
        "ckptmatrix.resume.load_state, or set accelerator.step after the load",
    )


def _weights(plan: Plan) -> list[Foretold]:
    told = []
    opaque = [model.files[0] for model in plan.models if model.opaque]
    if opaque:
        told.append(
            Foretold(
                "any with torch 2.6 or newer; accelerate 1.1.0 and newer with torch 2.4 on",
                f"load_state may raise UnpicklingError for {opaque[0]}",
                "it holds more than tensors, such as a module's extra state",
                "ckptmatrix.resume.load_state",
            )
        )
    shared = [name for model in plan.models for names in model.shared for name in names]
    if "bin" not in plan.formats:
        told.append(
            Foretold(
                "accelerate before 0.25.0",
                "load_state raises FileNotFoundError for pytorch_model.bin",
                "these releases do not look for safetensors",
                "repair with --weights both or bin",
            )
        )
    if shared and "safetensors" in plan.formats:
        told.append(
            Foretold(
                "accelerate 0.25.0 to 0.32.1",
                f"load_state raises: missing keys ({', '.join(shared[:4])})",
                "safetensors keeps one name of shared memory, these releases ask for all "
                "(huggingface/accelerate#2807)",
                "repair with --weights bin",
            )
        )
    left_out = [m for m in plan.models if not m.added and set(m.files) == {m.file("safetensors")}]
    if left_out and "safetensors" in plan.formats:
        told.append(
            Foretold(
                "accelerate 0.33.0 and newer, if a parameter or buffer of the model is only a part "
                "of its storage",
                "load_state raises: None is covering the entire storage",
                "safetensors.torch.load_model refuses such models (huggingface/accelerate#3812)",
                "repair with --weights bin",
            )
        )
        told.append(
            Foretold(
                "every release, if several parameters are different views of one storage, or "
                "several buffers are empty",
                "load_state raises: missing keys",
                "accelerate 0.25.0 and newer saves only the first of them",
                "--tied NAME=NAME for those that are equal; different views are lost for good",
            )
        )
    if left_out and not shared:
        told.append(
            Foretold(
                "accelerate before 0.33.0, if the model ties weights (such as an output layer "
                "that is the embedding)",
                "load_state raises: missing keys",
                "safetensors left out the second name, and nothing in the directory tells it",
                "repair with --tied NAME=NAME, such as "
                "--tied lm_head.weight=model.embed_tokens.weight",
            )
        )
    return told


def _names(plan: Plan) -> list[Foretold]:
    """A script that compiles the model, or no longer does, asks for other names."""
    compiled = any(name.startswith("_orig_mod.") for m in plan.models for name in m.weights)
    now = "is not compiled any more" if compiled else "is compiled before prepare by now"
    return [
        Foretold(
            "every release, if the model " + now,
            "load_state raises: missing keys",
            "torch.compile puts _orig_mod. before every name, and the names are kept as they are",
            "ckptmatrix.resume.load_state, which knows both",
        )
    ] * bool(plan.models)


def _pickles(plan: Plan) -> list[Foretold]:
    told = []
    roots = {name: archive.root for name, archive in plan.archives.items()}
    roots.update({file.name: file.root for file in plan.rewritten})
    for name, root in roots.items():
        names = sorted(n for n in states.globals_of(root) if not _PLAIN.fullmatch(n))
        if not names:
            continue
        said = ", ".join(names[:4])
        if name.startswith("custom_checkpoint"):
            told.append(
                Foretold(
                    "accelerate before 1.1.0 with torch 2.6 or newer",
                    f"load_state raises UnpicklingError for {name}, after all else is loaded",
                    f"it names {said}, which torch refuses by default; the object's own "
                    "load_state_dict may depend on these types, so they are kept",
                    "ckptmatrix.resume.load_state",
                )
            )
        else:
            told.append(
                Foretold(
                    "any with torch 2.6 or newer; accelerate 1.1.0 and newer with torch 2.4 on",
                    f"load_state may raise UnpicklingError for {name}",
                    f"it names {said}, which torch may not allow",
                    "ckptmatrix.resume.load_state; if you trust them, "
                    "torch.serialization.add_safe_globals",
                )
            )
    return told


def _missing(plan: Plan) -> list[Foretold]:
    told = []
    ranks = [name for name in plan.archives if name.startswith("random_states")]
    has_scheduler = "scheduler.bin" in {*plan.archives, *(file.name for file in plan.rewritten)}
    if not has_scheduler and "optimizer.bin" in plan.archives:
        told.append(
            Foretold(
                "every release, if the script prepares a scheduler",
                "load_state raises FileNotFoundError for scheduler.bin",
                "it is not in the checkpoint: the script had none, or accelerate up to 0.14.0, or "
                "0.16.0, wrote it on torch 2 and overlooked it",
                "repair with --scheduler-step N, N being the steps that the scheduler had made",
            )
        )
    if not ranks:
        told.append(
            Foretold(
                "every release",
                "Python's, numpy's and torch's random states are not restored",
                "the checkpoint has no random_states_N.pkl",
                "none; seed again, so that all processes agree",
            )
        )
    told.append(
        Foretold(
            f"every release, with more than {max(1, len(ranks))} process(es)",
            "the further processes get no random states and no step; 0.32 and 0.33 raise on them",
            f"the checkpoint has those of {len(ranks)} process(es)",
            "resume with as many processes, or seed the further ones",
        )
    )
    return told
