"""What a training was doing when an exception was raised, told from its frames and its log."""

from dataclasses import dataclass
from enum import StrEnum

from ckptmatrix.checkpoint.explain.frames import Frame
from ckptmatrix.checkpoint.explain.matching import in_places
from ckptmatrix.checkpoint.explain.traces import Failure, Trace


class Phase(StrEnum):
    """Where in its life a training was."""

    SAVING = "saving"
    MODEL = "loading the model"
    OPTIMIZER = "loading the optimizer"
    SCHEDULER = "loading the scheduler"
    SCALER = "loading the gradient scaler"
    DATALOADER = "loading the place in the data"
    RANDOM = "loading the random states"
    CUSTOM = "loading registered objects"
    LOADING = "loading"
    BUILDING = "building model, optimizer and data"
    TRAINING = "training"


@dataclass(frozen=True)
class Whereabouts:
    """What was going on, what is loaded by then, what to do next."""

    phase: Phase
    """What the frames show."""
    loaded: str
    """What of the checkpoint is loaded by then, one sentence."""
    command: str
    """The command that comes next; `{dir}` stands for the checkpoint."""


_ORDER = {
    Phase.MODEL: "the model",
    Phase.OPTIMIZER: "the optimizer",
    Phase.SCHEDULER: "the scheduler",
    Phase.DATALOADER: "the place in the data",
    Phase.SCALER: "the gradient scaler",
    Phase.RANDOM: "the random states",
    Phase.CUSTOM: "registered objects",
}
"""The order in which `load_state` loads, and what each part is called."""

_LOADS = ["accelerate/checkpointing.py:load_accelerator_state", "accelerate/accelerator.py:load_state"]
_SAVES = [
    "accelerate/accelerator.py:save_state",
    "accelerate/accelerator.py:save_model",
    "accelerate/checkpointing.py:save_*",
    "accelerate/utils/*.py:save*",
    "transformers/trainer.py:_save*",
    "transformers/trainer.py:save_model",
    "torch/serialization.py:save",
    "safetensors/torch.py:save*",
    "torch/distributed/checkpoint/state_dict_saver.py:*",
    "deepspeed/runtime/engine.py:save_checkpoint",
    "*:save_model_hook",
]
_FRAMES: tuple[tuple[Phase, list[str]], ...] = (
    (Phase.SAVING, _SAVES),
    (
        Phase.CUSTOM,
        ["accelerate/checkpointing.py:load_custom_state", "accelerate/accelerator.py:load_state:*custom*"],
    ),
    (
        Phase.RANDOM,
        [
            "torch/random.py:set_rng_state",
            "torch/cuda/random.py:set_rng_state*",
            "transformers/trainer.py:_load_rng_state",
            "accelerate/checkpointing.py:load_accelerator_state:*RNG_STATE*",
            "accelerate/checkpointing.py:load_accelerator_state:*random_state*",
            "accelerate/checkpointing.py:load_accelerator_state:*manual_seed*",
        ],
    ),
    (
        Phase.SCALER,
        [
            "torch/amp/grad_scaler.py:load_state_dict",
            "torch/cuda/amp/grad_scaler.py:load_state_dict",
            "accelerate/checkpointing.py:load_accelerator_state:*scaler*",
        ],
    ),
    (
        Phase.DATALOADER,
        [
            "accelerate/data_loader.py:load_state_dict",
            "torchdata/*:load_state_dict",
            "accelerate/checkpointing.py:load_accelerator_state:*dataloader*",
            "accelerate/checkpointing.py:load_accelerator_state:*sampler*",
        ],
    ),
    (
        Phase.SCHEDULER,
        [
            "accelerate/scheduler.py:load_state_dict",
            "torch/optim/lr_scheduler.py:load_state_dict",
            "accelerate/checkpointing.py:load_accelerator_state:*scheduler*",
        ],
    ),
    (
        Phase.OPTIMIZER,
        [
            "accelerate/optimizer.py:load_state_dict",
            "torch/optim/optimizer.py:load_state_dict",
            "bitsandbytes/optim/optimizer.py:load_state_dict",
            "transformers/trainer.py:_load_optimizer_and_scheduler",
            "accelerate/utils/fsdp_utils.py:load_fsdp_optimizer",
            "deepspeed/runtime/engine.py:_load_zero_checkpoint",
            "accelerate/checkpointing.py:load_accelerator_state:*optimizer*",
        ],
    ),
    (
        Phase.MODEL,
        [
            "torch/nn/modules/module.py:load_state_dict",
            "safetensors/torch.py:load_model",
            "transformers/trainer.py:_load_from_checkpoint",
            "accelerate/utils/fsdp_utils.py:load_fsdp_model",
            "accelerate/utils/modeling.py:load_checkpoint_in_model",
            "deepspeed/runtime/engine.py:load_module_state_dict",
            "*:load_model_hook",
            "accelerate/checkpointing.py:load_accelerator_state:*model*",
        ],
    ),
    (Phase.LOADING, [*_LOADS, "deepspeed/runtime/engine.py:load_checkpoint", "transformers/trainer_callback.py:load_from_json"]),
    (Phase.BUILDING, ["accelerate/accelerator.py:prepare*", "accelerate/accelerator.py:__init__"]),
    (
        Phase.TRAINING,
        [
            "accelerate/accelerator.py:backward",
            "accelerate/accelerator.py:clip_grad_norm_",
            "accelerate/accelerator.py:unscale_gradients",
            "accelerate/optimizer.py:step",
            "accelerate/scheduler.py:step",
            "torch/optim/*.py:step",
            "torch/autograd/*:backward",
            "transformers/trainer.py:training_step",
        ],
    ),
)
"""Where a frame shows what was going on; what is more exact stands first."""

_LOGGED = {
    Phase.MODEL: "All model weights loaded successfully",
    Phase.OPTIMIZER: "All optimizer states loaded successfully",
    Phase.SCHEDULER: "All scheduler states loaded successfully",
    Phase.DATALOADER: "All dataloader sampler states loaded successfully",
    Phase.SCALER: "GradScaler state loaded successfully",
    Phase.RANDOM: "All random states loaded successfully",
}
"""What accelerate logs after each part."""


def whereabouts(failure: Failure, trace: Trace) -> Whereabouts | None:
    """Tell from the frames what was going on; None if they do not say."""
    for phase, places in _FRAMES:
        if any(_shows(frame, places) for frame in failure.frames):
            return Whereabouts(phase, _loaded(phase, trace), _COMMANDS.get(phase, _INSPECT))
    return None


def _shows(frame: Frame, places: list[str]) -> bool:
    """Whether a frame is in a place; one that asks for code is shown by code alone."""
    return in_places(frame, [p for p in places if frame.code or p.count(":") == 1])


_INSPECT = "ckptmatrix inspect {dir}"
_COMMANDS = {
    Phase.SAVING: "df -h {dir}",
    Phase.BUILDING: "pip list | grep -iE 'accelerate|torch|numpy|safetensors'",
}


def _loaded(phase: Phase, trace: Trace) -> str:
    if phase is Phase.SAVING:
        return "Nothing is loaded; the checkpoint that was being written is incomplete."
    if phase is Phase.BUILDING:
        return "Nothing is loaded yet."
    if phase is Phase.TRAINING:
        if "Loading states from" in trace.text or _logged(trace):
            return "The load had returned; this is the training after it."
        return "This is training, not the load; if it is the first step after a load, that had returned."
    if phase not in _ORDER:
        done = _logged(trace)
        return f"By the log, {done} loaded by then." if done else "What is loaded by then is not shown."
    before = [name for other, name in _ORDER.items() if _at(other) < _at(phase)]
    after = [name for other, name in _ORDER.items() if _at(other) > _at(phase)]
    if not before:
        return "Nothing else is loaded yet."
    rest = f"; not yet {_listed(after)}" if after else ""
    return f"Loaded by then, as far as they were saved: {_listed(before)}{rest}."


def _at(phase: Phase) -> int:
    return list(_ORDER).index(phase)


def _logged(trace: Trace) -> str:
    """What the log says was loaded, with its verb; empty if it says nothing."""
    names = [_ORDER[phase] for phase, words in _LOGGED.items() if words in trace.text]
    return f"{_listed(names)} {'were' if len(names) > 1 else 'was'}" if names else ""


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
