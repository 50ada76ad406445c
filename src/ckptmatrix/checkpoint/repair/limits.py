"""What a repaired checkpoint still can't do, and for which readers: said before anyone loads it.

A test compares it with the measured grid, cell by cell: what was not restored was said here, and
what was said here was not restored.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ckptmatrix.checkpoint.format.names import FileKind, WeightFormat
from ckptmatrix.checkpoint.format.random_states import STREAMS, RandomKey
from ckptmatrix.checkpoint.repair import state_files
from ckptmatrix.checkpoint.repair.readers import EVERY, REFUSING, Readers, readers_with
from ckptmatrix.checkpoint.repair.repair_plan import RepairPlan
from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.knowledge.releases import (
    ACCELERATE,
    TORCH,
    CustomCount,
    SchedulerCounts,
    StepRead,
    WeightsRead,
    refused_by_torch_alone,
)

_STEP = RandomKey.STEP.component


class ScriptTrait(StrEnum):
    """What a script does that no file of its checkpoints tells."""

    ACCUMULATES = "accumulates"
    COMPILES = "compiles"
    COMPILES_NO_MORE = "compiles-no-more"
    MORE_PROCESSES = "more-processes"
    OTHER_OBJECTS = "other-objects"
    PARTIAL_TENSORS = "partial-tensors"
    PASSES_ASSIGN = "passes-assign"
    PREPARES_SCHEDULER = "prepares-scheduler"
    TIES_WEIGHTS = "ties-weights"
    VIEWS = "views"


@dataclass(frozen=True)
class Limit:
    """One thing that some readers will not restore."""

    readers: Readers
    """Which readers."""
    what: str
    """What happens."""
    why: str
    """The reason."""
    remedy: str
    """What can be done about it."""
    cause: CauseId
    """The cause that a grid, or `inspect`, would name."""
    script: str = ""
    """What the script must do for it, which no file tells; empty if any script meets it."""
    trait: ScriptTrait | None = None
    """The same for programs."""
    loses: tuple[str, ...] = ()
    """Components that are not restored (`step@N`: on further processes alone); empty where
    `load_state` raises."""
    certain: bool = True
    """False where it hangs on something that no file tells."""

    @property
    def whom(self) -> str:
        """Readers and script in words."""
        return f"{self.readers.words}, if {self.script}" if self.script else self.readers.words


def limits_of(plan: RepairPlan) -> list[Limit]:
    """Everything that stays as it is, for the readers that `repair` vouches for."""
    return [
        *_weights(plan),
        *_left_out(plan),
        *_names(plan),
        *_pickles(plan),
        *_schedulers(plan),
        *_random_states(plan),
        *_objects(plan),
        *_step(plan),
        *_unknown_step(plan),
    ]


def _step(plan: RepairPlan) -> Iterator[Limit]:
    if plan.step.value:  # 0 is what every new process has
        yield Limit(
            readers_with(ACCELERATE.span_of(restores_step=False)),
            f"step keeps its value instead of {plan.step}",
            "these releases have no code that restores it (huggingface/accelerate#2765)",
            "ckptmatrix.resume.load_state, or set accelerator.step after the load",
            CauseId.STEP_IGNORED,
            loses=(_STEP,),
        )


def _unknown_step(plan: RepairPlan) -> Iterator[Limit]:
    if not plan.step.known:
        yield Limit(
            EVERY,
            "gradients are applied at other micro-batches than without the break",
            "step is recorded nowhere, and 0 is right only right after an optimizer step",
            "repair with --step N, N being the micro-batches since the epoch began",
            CauseId.GRADIENTS_UNSAVED,
            "the script accumulates gradients, and saved between two optimizer steps",
            ScriptTrait.ACCUMULATES,
            certain=False,
        )


def _weights(plan: RepairPlan) -> Iterator[Limit]:
    opaque = [model.files[0] for model in plan.models if model.opaque]
    if opaque:
        yield Limit(
            REFUSING,
            f"load_state may raise UnpicklingError for {opaque[0]}",
            "it holds more than tensors, such as a module's extra state",
            "ckptmatrix.resume.load_state",
            CauseId.LOUD_REFUSAL,
            certain=False,
        )
    shared = [name for model in plan.models for names in model.shared for name in names]
    if WeightFormat.BIN not in plan.formats:
        yield Limit(
            readers_with(ACCELERATE.span_of(weights=WeightsRead.BIN)),
            f"load_state raises FileNotFoundError for {FileKind.MODEL_BIN.file()}",
            "these releases do not look for safetensors",
            "repair with --weights both or bin",
            CauseId.SAFETENSORS_UNKNOWN,
        )
    if shared and WeightFormat.SAFETENSORS in plan.formats:
        yield Limit(
            readers_with(ACCELERATE.span_of(weights=WeightsRead.BY_NAME)),
            f"load_state raises: missing keys ({', '.join(shared[:4])})",
            "safetensors keeps one name of shared memory, these releases ask for all "
            "(huggingface/accelerate#2807)",
            "repair with --weights bin",
            CauseId.TIED_WEIGHTS,
        )


def _left_out(plan: RepairPlan) -> Iterator[Limit]:
    """What a safetensors file of the source may have left out, which no file tells; and what the
    newer way to load safetensors does not know."""
    left_out = any(
        not model.added and set(model.files) == {model.file(WeightFormat.SAFETENSORS)}
        for model in plan.models
    )
    by_storage = readers_with(ACCELERATE.span_of(weights=WeightsRead.BY_STORAGE))
    safetensors = WeightFormat.SAFETENSORS in plan.formats
    if left_out and safetensors:
        yield Limit(
            by_storage,
            "load_state raises: None is covering the entire storage",
            "safetensors.torch.load_model refuses such models (huggingface/accelerate#3812)",
            "repair with --weights bin",
            CauseId.PARTIAL_VIEW,
            "a parameter or buffer of the model is only a part of its storage",
            ScriptTrait.PARTIAL_TENSORS,
        )
        first = ACCELERATE.first_with(weights=WeightsRead.BY_NAME)
        yield Limit(
            EVERY,
            "load_state raises: missing keys",
            f"accelerate {first} and newer saves only the first of them",
            "--tied NAME=NAME for those that are equal; different views are lost for good",
            CauseId.TENSORS_DROPPED,
            "several parameters are different views of one storage, or several buffers are empty",
            ScriptTrait.VIEWS,
        )
    if left_out and not any(model.shared for model in plan.models):
        yield Limit(
            readers_with(ACCELERATE.span_of(knows_shared_tensors=False)),
            "load_state raises: missing keys",
            "safetensors left out the second name, and nothing in the directory tells it",
            "repair with --tied NAME=NAME, such as --tied lm_head.weight=model.embed_tokens.weight",
            CauseId.TIED_WEIGHTS,
            "the model ties weights (such as an output layer that is the embedding)",
            ScriptTrait.TIES_WEIGHTS,
        )
    if plan.models and safetensors:
        yield Limit(
            by_storage,
            "load_state raises TypeError: unexpected keyword argument 'assign'",
            "safetensors.torch.load_model, which these releases hand it to, knows no assign",
            "leave assign out: with it the optimizer steps parameters that the model has left",
            CauseId.ASSIGN_REFUSED,
            "the script passes assign=True",
            ScriptTrait.PASSES_ASSIGN,
        )


def _names(plan: RepairPlan) -> Iterator[Limit]:
    """A script that compiles the model, or no longer does, asks for other names."""
    compiled = any(name.startswith("_orig_mod.") for m in plan.models for name in m.weights)
    now = "is not compiled any more" if compiled else "is compiled before prepare by now"
    if plan.models:
        yield Limit(
            EVERY,
            "load_state raises: missing keys",
            "torch.compile puts _orig_mod. before every name, and the names are kept as they are",
            "ckptmatrix.resume.load_state, which knows both",
            CauseId.COMPILED_NAMES,
            f"the model {now}",
            ScriptTrait.COMPILES_NO_MORE if compiled else ScriptTrait.COMPILES,
        )


def _pickles(plan: RepairPlan) -> Iterator[Limit]:
    for name, root in plan.roots.items():
        refused = refused_by_torch_alone(tuple(sorted(state_files.globals_of(root))))
        if not refused:
            continue
        said = ", ".join(refused[:4])
        if FileKind.CUSTOM.index(name) is not None:
            yield Limit(
                readers_with(
                    ACCELERATE.span_of(asks_weights_only=False),
                    TORCH.span_of(refuses_by_default=True),
                ),
                f"load_state raises UnpicklingError for {name}, after all else is loaded",
                f"it names {said}, which torch refuses by default; the object's own "
                "load_state_dict may depend on these types, so they are kept",
                "ckptmatrix.resume.load_state",
                CauseId.LOUD_REFUSAL,
            )
        else:
            yield Limit(
                REFUSING,
                f"load_state may raise UnpicklingError for {name}",
                f"it names {said}, which torch may not allow",
                "ckptmatrix.resume.load_state; if you trust them, "
                "torch.serialization.add_safe_globals",
                CauseId.LOUD_REFUSAL,
                certain=False,
            )


def _schedulers(plan: RepairPlan) -> Iterator[Limit]:
    name = FileKind.SCHEDULER.file()
    if name in plan.roots:
        yield _counts(plan)
    elif FileKind.OPTIMIZER.file() in plan.roots:
        spans = ACCELERATE.spans_of(sees_schedulers=False)
        overlooking = ", or ".join(span.up_to for span in spans)
        yield Limit(
            EVERY,
            f"load_state raises FileNotFoundError for {name}",
            f"it is not in the checkpoint: the script had none, or accelerate {overlooking}, "
            "wrote it on torch 2 and overlooked it",
            "repair with --scheduler-step N, N being the steps that the scheduler had made",
            CauseId.SCHEDULER_NOT_SAVED,
            "the script prepares a scheduler",
            ScriptTrait.PREPARES_SCHEDULER,
        )


def _counts(plan: RepairPlan) -> Limit:
    """Which releases count a scheduler's steps otherwise than the one that wrote it."""
    newer = any(
        RandomKey.STEP in archive.root
        for name, archive in plan.archives.items()
        if FileKind.RANDOM_STATES.index(name) is not None
    ) or any(name.endswith(".safetensors") for model in plan.models for name in model.files)
    older = ACCELERATE.span_of(scheduler_counts=SchedulerCounts.MICRO_BATCHES)
    other_side = f"those on the other side of accelerate {older.end}"
    return Limit(
        readers_with(older) if newer else Readers(other_side, EVERY.ranges),
        "the scheduler goes on from another place, and the learning rate jumps",
        f"{older.up_to} a prepared scheduler counts micro-batches, then optimizer steps",
        "ckptmatrix.resume.load_state, or set the scheduler's last_epoch after the load",
        CauseId.SCHEDULER_COUNTS,
        "the script accumulates gradients",
        ScriptTrait.ACCUMULATES,
        loses=(FileKind.SCHEDULER.component,),
        certain=newer,
    )


def _random_states(plan: RepairPlan) -> Iterator[Limit]:
    count = sum(FileKind.RANDOM_STATES.index(name) is not None for name in plan.archives)
    if not count:
        yield Limit(
            EVERY,
            "Python's, numpy's and torch's random states are not restored",
            "the checkpoint has no random_states_N.pkl",
            "none; seed again, so that all processes agree",
            CauseId.RANDOM_STATES_MISSING,
            loses=STREAMS,
        )
    script = f"it runs with more than {max(1, count)} process(es)"
    why = f"the checkpoint has those of {count} process(es)"
    remedy = "resume with as many processes, or seed the further ones"
    yield Limit(
        EVERY,
        "the further processes get no random states and no step",
        why,
        remedy,
        CauseId.RANK_STATES_MISSING,
        script,
        ScriptTrait.MORE_PROCESSES,
        loses=tuple(f"{name}@N" for name in (*STREAMS, _STEP)),
    )
    yield Limit(
        readers_with(ACCELERATE.span_of(step=StepRead.DEMANDED)),
        "load_state raises KeyError: 'step' on the further processes",
        why,
        remedy,
        CauseId.RANK_STATES_MISSING,
        script,
        ScriptTrait.MORE_PROCESSES,
    )


def _objects(plan: RepairPlan) -> Iterator[Limit]:
    count = sum(FileKind.CUSTOM.index(name) is not None for name in plan.archives)
    other = f"other than {count}" if count else "any"
    script = f"the script registers {other} objects for checkpointing"
    why = f"the checkpoint has {count} of them, and only their order tells which is which"
    remedy = "ckptmatrix.resume.load_state with strict=False, which loads those of both sides"
    yield Limit(
        readers_with(ACCELERATE.span_of(custom_count=CustomCount.ERROR)),
        "load_state raises: number of custom checkpoints, after all else is loaded",
        why,
        remedy,
        CauseId.CUSTOM_COUNT,
        script,
        ScriptTrait.OTHER_OBJECTS,
    )
    yield Limit(
        readers_with(ACCELERATE.span_of(custom_count=CustomCount.WARNING)),
        "none of them is loaded; a warning says so",
        why,
        remedy,
        CauseId.CUSTOM_COUNT,
        script,
        ScriptTrait.OTHER_OBJECTS,
        loses=(FileKind.CUSTOM.component,),
    )
