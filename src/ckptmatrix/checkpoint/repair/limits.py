"""What a repaired checkpoint still can't do, and for which readers: said before anyone loads it.

A test compares it with the measured grid, cell by cell: what was not restored was foretold, and
what was foretold was not restored.
"""

import re

from ckptmatrix.checkpoint.repair import state_files
from ckptmatrix.checkpoint.repair.limit import EVERY, Foretold, Range, Readers
from ckptmatrix.checkpoint.repair.repair_plan import Plan

_PLAIN = re.compile(
    r"collections\.OrderedDict|_codecs\.encode|torch\.\w+|torch\.storage\.UntypedStorage"
    r"|torch\._utils\._rebuild_(tensor(_v2|_v3)?|parameter)|torch\.nn\.parameter\.Parameter"
    r"|(__builtin__|builtins)\.(set|complex|bytearray)"
)
"""What torch's own `weights_only` reads without being told."""

_STREAMS = ("rng.python", "rng.numpy", "rng.torch")

_REFUSING = Readers(
    "any with torch 2.6 or newer; accelerate 1.1.0 and newer with torch 2.4 on",
    (Range("", ">=2.6"), Range(">=1.1.0", ">=2.4")),
)
"""Those that read pickles with `weights_only`."""


def foretell(plan: Plan) -> list[Foretold]:
    """Everything that stays unmended, for the readers from 0.15.0 on."""
    return [
        *_weights(plan),
        *_names(plan),
        *_pickles(plan),
        *_schedulers(plan),
        *_random_states(plan),
        *_objects(plan),
        _step(plan),
    ]


def _step(plan: Plan) -> Foretold:
    return Foretold(
        Readers("accelerate before 0.32.0", (Range("<0.32.0"),)),
        f"step keeps its value instead of {plan.step}",
        "these releases have no code that restores it (huggingface/accelerate#2765)",
        "ckptmatrix.resume.load_state, or set accelerator.step after the load",
        loses=("step",),
    )


def _weights(plan: Plan) -> list[Foretold]:
    told = []
    opaque = [model.files[0] for model in plan.models if model.opaque]
    if opaque:
        told.append(
            Foretold(
                _REFUSING,
                f"load_state may raise UnpicklingError for {opaque[0]}",
                "it holds more than tensors, such as a module's extra state",
                "ckptmatrix.resume.load_state",
                certain=False,
            )
        )
    shared = [name for model in plan.models for names in model.shared for name in names]
    if "bin" not in plan.formats:
        told.append(
            Foretold(
                Readers("accelerate before 0.25.0", (Range("<0.25.0"),)),
                "load_state raises FileNotFoundError for pytorch_model.bin",
                "these releases do not look for safetensors",
                "repair with --weights both or bin",
            )
        )
    if shared and "safetensors" in plan.formats:
        told.append(
            Foretold(
                Readers("accelerate 0.25.0 to 0.32.1", (Range(">=0.25.0,<0.33.0"),)),
                f"load_state raises: missing keys ({', '.join(shared[:4])})",
                "safetensors keeps one name of shared memory, these releases ask for all "
                "(huggingface/accelerate#2807)",
                "repair with --weights bin",
            )
        )
    left_out = [m for m in plan.models if not m.added and set(m.files) == {m.file("safetensors")}]
    if left_out and "safetensors" in plan.formats:
        told += _left_out()
    if left_out and not shared:
        told.append(
            Foretold(
                Readers("accelerate before 0.33.0", (Range("<0.33.0"),)),
                "load_state raises: missing keys",
                "safetensors left out the second name, and nothing in the directory tells it",
                "repair with --tied NAME=NAME, such as "
                "--tied lm_head.weight=model.embed_tokens.weight",
                script="the model ties weights (such as an output layer that is the embedding)",
            )
        )
    if plan.models and "safetensors" in plan.formats:
        told.append(
            Foretold(
                Readers("accelerate 0.33.0 and newer", (Range(">=0.33.0"),)),
                "load_state raises TypeError: unexpected keyword argument 'assign'",
                "safetensors.torch.load_model, which these releases hand it to, knows no assign",
                "leave assign out: with it the optimizer steps parameters that the model has left",
                script="the script passes assign=True",
            )
        )
    return told


def _left_out() -> list[Foretold]:
    """What a safetensors file of the source may have left out, which no file tells."""
    return [
        Foretold(
            Readers("accelerate 0.33.0 and newer", (Range(">=0.33.0"),)),
            "load_state raises: None is covering the entire storage",
            "safetensors.torch.load_model refuses such models (huggingface/accelerate#3812)",
            "repair with --weights bin",
            script="a parameter or buffer of the model is only a part of its storage",
        ),
        Foretold(
            EVERY,
            "load_state raises: missing keys",
            "accelerate 0.25.0 and newer saves only the first of them",
            "--tied NAME=NAME for those that are equal; different views are lost for good",
            script="several parameters are different views of one storage, or several buffers "
            "are empty",
        ),
    ]


def _names(plan: Plan) -> list[Foretold]:
    """A script that compiles the model, or no longer does, asks for other names."""
    compiled = any(name.startswith("_orig_mod.") for m in plan.models for name in m.weights)
    now = "is not compiled any more" if compiled else "is compiled before prepare by now"
    return [
        Foretold(
            EVERY,
            "load_state raises: missing keys",
            "torch.compile puts _orig_mod. before every name, and the names are kept as they are",
            "ckptmatrix.resume.load_state, which knows both",
            script=f"the model {now}",
        )
    ] * bool(plan.models)


def _pickles(plan: Plan) -> list[Foretold]:
    told = []
    for name, root in plan.roots.items():
        names = sorted(n for n in state_files.globals_of(root) if not _PLAIN.fullmatch(n))
        if not names:
            continue
        said = ", ".join(names[:4])
        if name.startswith("custom_checkpoint"):
            told.append(
                Foretold(
                    Readers(
                        "accelerate before 1.1.0 with torch 2.6 or newer",
                        (Range("<1.1.0", ">=2.6"),),
                    ),
                    f"load_state raises UnpicklingError for {name}, after all else is loaded",
                    f"it names {said}, which torch refuses by default; the object's own "
                    "load_state_dict may depend on these types, so they are kept",
                    "ckptmatrix.resume.load_state",
                )
            )
        else:
            told.append(
                Foretold(
                    _REFUSING,
                    f"load_state may raise UnpicklingError for {name}",
                    f"it names {said}, which torch may not allow",
                    "ckptmatrix.resume.load_state; if you trust them, "
                    "torch.serialization.add_safe_globals",
                    certain=False,
                )
            )
    return told


def _schedulers(plan: Plan) -> list[Foretold]:
    if "scheduler.bin" in plan.roots:
        return [_counts(plan)]
    if "optimizer.bin" not in plan.roots:
        return []
    return [
        Foretold(
            EVERY,
            "load_state raises FileNotFoundError for scheduler.bin",
            "it is not in the checkpoint: the script had none, or accelerate up to 0.14.0, or "
            "0.16.0, wrote it on torch 2 and overlooked it",
            "repair with --scheduler-step N, N being the steps that the scheduler had made",
            script="the script prepares a scheduler",
        )
    ]


def _counts(plan: Plan) -> Foretold:
    """Which releases count a scheduler's steps otherwise than the one that wrote it."""
    newer = any("step" in a.root for n, a in plan.archives.items() if n.startswith("random_states"))
    newer = newer or any(name.endswith("safetensors") for m in plan.models for name in m.files)
    older = Readers("accelerate before 0.16.0", (Range("<0.16.0"),))
    return Foretold(
        older if newer else Readers("those on the other side of accelerate 0.16.0", EVERY.ranges),
        "the scheduler goes on from another place, and the learning rate jumps",
        "up to 0.15.0 a prepared scheduler counts micro-batches, then optimizer steps",
        "ckptmatrix.resume.load_state, or set the scheduler's last_epoch after the load",
        script="the script accumulates gradients",
        loses=("scheduler",),
        certain=newer,
    )


def _random_states(plan: Plan) -> list[Foretold]:
    told = []
    ranks = [name for name in plan.archives if name.startswith("random_states")]
    if not ranks:
        told.append(
            Foretold(
                EVERY,
                "Python's, numpy's and torch's random states are not restored",
                "the checkpoint has no random_states_N.pkl",
                "none; seed again, so that all processes agree",
                loses=_STREAMS,
            )
        )
    more = f"it runs with more than {max(1, len(ranks))} process(es)"
    why = f"the checkpoint has those of {len(ranks)} process(es)"
    remedy = "resume with as many processes, or seed the further ones"
    told += [
        Foretold(
            EVERY,
            "the further processes get no random states and no step",
            why,
            remedy,
            script=more,
            loses=tuple(f"{name}@N" for name in (*_STREAMS, "step")),
        ),
        Foretold(
            Readers("accelerate 0.32.0 to 0.33.0", (Range(">=0.32.0,<0.34.0"),)),
            "load_state raises KeyError: 'step' on the further processes",
            why,
            remedy,
            script=more,
        ),
    ]
    return told


def _objects(plan: Plan) -> list[Foretold]:
    count = sum(name.startswith("custom_checkpoint") for name in plan.archives)
    other = f"other than {count}" if count else "any"
    script = f"the script registers {other} objects for checkpointing"
    why = f"the checkpoint has {count} of them, and only their order tells which is which"
    remedy = "ckptmatrix.resume.load_state with strict=False, which loads those of both sides"
    return [
        Foretold(
            Readers("accelerate 0.21.0 and newer", (Range(">=0.21.0"),)),
            "load_state raises: number of custom checkpoints, after all else is loaded",
            why,
            remedy,
            script=script,
        ),
        Foretold(
            Readers("accelerate before 0.21.0", (Range("<0.21.0"),)),
            "none of them is loaded; a warning says so",
            why,
            remedy,
            script=script,
            loses=("custom",),
        ),
    ]
