"""What lies in the files of a DeepSpeed checkpoint, as it is captured; and its universal form.

DeepSpeed's own converter makes that: a file for each value of each parameter, whole, which any
number of processes can load.
"""

from __future__ import annotations

import argparse
import glob
import os
import shutil
from typing import TYPE_CHECKING, Any

import torch

from ckptmatrix.worker import stored
from ckptmatrix.worker.engine_wholes import WHOLES
from ckptmatrix.worker.neutral import ABSENT, Neutral
from ckptmatrix.worker.partitions import CLIPPING, COUNTS, PARTITIONED, held
from ckptmatrix.worker.words import Part

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Training

_WEIGHTS = "fp32"
_COUNT_OF_STEPS = "step"


def in_files(training: Training, directory: str) -> dict[str, Any]:
    """Component -> what this process's files hold of its part, as that is captured.

    The weights are in them only if all master slices together, as DeepSpeed itself puts them
    together, are the weights that all processes hold together. All ask together.
    """
    rank = training.accelerator.process_index
    found: dict[str, dict[str, Any]] = {Part.MODEL: {}, Part.OPTIMIZER: {}, Part.ENGINE: {}}
    for index, engine in enumerate(training.models):
        folder = os.path.join(directory, f"pytorch_model_{index}" if index else "pytorch_model")
        states = read(folder, f"*zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
        notes = read(folder, f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt") or read(
            folder, "mp_rank_00_model_states.pt"
        )
        if not states or not notes:
            return dict.fromkeys(found, ABSENT)
        inner = states["optimizer_state_dict"]
        flat = inner.get("single_partition_of_fp32_groups", inner.get("fp32_flat_groups"))
        weights = held(engine) if _whole_is_there(engine, directory, folder) else {}
        found[Part.MODEL][str(index)] = {"weights": weights, "masters": flat}
        found[Part.OPTIMIZER][str(index)] = inner.get(
            "base_optimizer_state", inner.get("optimizer_state_dict")
        )
        _note(found, index, notes, inner)
    return found


def whole_in_files(training: Training, directory: str) -> dict[str, Any]:
    """Component -> all of it, where the files of all processes hold their parts; else `ABSENT`."""
    found = in_files(training, directory)
    for part, whole in zip(PARTITIONED, WHOLES):
        same = int(_same(part.capture(training), found[part.name]))
        there = torch.tensor(same, device=training.accelerator.device)
        torch.distributed.all_reduce(there, torch.distributed.ReduceOp.MIN)
        value = whole.capture(training)
        found[part.name] = value if there else ABSENT
    return found


def _same(one: Any, two: Any) -> bool:
    return Neutral.of({"": one}).leaves("") == Neutral.of({"": two}).leaves("")


def to_universal(directory: str) -> None:
    """Put the universal form into the place of what was saved.

    Raises:
        RuntimeError: the converter raised; in every process.
    """
    problems = [""]
    torch.distributed.barrier()  # each process saves files of its own
    if torch.distributed.get_rank() == 0:
        for folder in glob.glob(os.path.join(directory, "pytorch_model*")):
            try:
                _convert(folder)
            except Exception as error:  # noqa: BLE001 - told to all processes, which wait for it
                problems = [f"DeepSpeed's ds_to_universal: {type(error).__name__}: {error}"]
    torch.distributed.broadcast_object_list(problems)
    if problems[0]:
        raise RuntimeError(problems[0])


def _convert(folder: str) -> None:
    from deepspeed.checkpoint import ds_to_universal

    plain = folder + "-plain"
    os.rename(folder, plain)
    ds_to_universal.main(
        argparse.Namespace(
            input_folder=plain,
            output_folder=folder,
            num_extract_workers=1,
            num_merge_workers=1,
            keep_temp_folder=False,
            strict=True,
            inject_missing_state=True,  # what Megatron's scripts save of their own
        )
    )
    shutil.rmtree(plain)


def universal_in_files(training: Training, directory: str) -> dict[str, Any]:
    """Component -> what the universal form holds of it, as the whole is captured."""
    found: dict[str, dict[str, Any]] = {Part.MODEL: {}, Part.OPTIMIZER: {}, Part.ENGINE: {}}
    for index, engine in enumerate(training.models):
        folder = os.path.join(directory, f"pytorch_model_{index}" if index else "pytorch_model")
        values: dict[str, dict[str, Any]] = {}
        steps = {}
        for group, parameters in enumerate(engine.optimizer.bit16_groups):
            for parameter in parameters:
                name = engine.optimizer.param_names[parameter]
                for path in glob.glob(os.path.join(folder, "zero", name, "*.pt")):
                    slot = os.path.basename(path)[: -len(".pt")]
                    if slot == _COUNT_OF_STEPS:
                        steps[group] = {slot: stored.read(path)}
                    else:
                        values.setdefault(slot, {})[name] = stored.read(path)["param"]
        kept = values.pop(_WEIGHTS)
        same = all(
            torch.equal(kept[name], p.detach().cpu())
            for name, p in engine.module.named_parameters()
        )
        found[Part.MODEL][str(index)] = {"weights": held(engine) if same else {}, "masters": kept}
        rest = stored.read(os.path.join(folder, "zero", "optimizer_state.pt"))
        found[Part.OPTIMIZER][str(index)] = {
            "state": values,
            "numbers": steps,
            "groups": [
                {n: v for n, v in group.items() if n != "params"} for group in rest["param_groups"]
            ],
        }
        _note(found, index, read(folder, "mp_rank_00_model_states.pt"), rest)
    return found


def _note(found: dict[str, dict[str, Any]], index: int, notes: Any, rest: Any) -> None:
    """What DeepSpeed keeps beside the weights; the schedule where accelerate leaves it to it.

    `rest` is what it keeps beside the optimizer's state.
    """
    clips = {CLIPPING: rest[CLIPPING]} if CLIPPING in rest else {}
    found[Part.ENGINE][str(index)] = {**{name: notes[name] for name in COUNTS}, **clips}
    if notes.get("lr_scheduler"):
        found.setdefault(Part.SCHEDULER, {})[str(index)] = notes["lr_scheduler"]


def read(folder: str, pattern: str) -> Any:
    """The content of the one file; None where there is none."""
    paths = glob.glob(os.path.join(folder, pattern))
    return stored.read(paths[0]) if paths else None


def _whole_is_there(engine: Any, directory: str, folder: str) -> bool:
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

    saved = get_fp32_state_dict_from_zero_checkpoint(directory, os.path.basename(folder))
    return all(torch.equal(saved[name], whole.cpu()) for name, whole in _gathered(engine).items())


def _gathered(engine: Any) -> dict[str, torch.Tensor]:
    """Every parameter as all processes hold it together."""
    return {name: _whole(p) for name, p in engine.module.named_parameters()}


def _whole(parameter: Any) -> torch.Tensor:
    mine = getattr(parameter, "ds_tensor", None)
    if mine is None:
        return parameter.detach()
    parts = [torch.empty_like(mine) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, mine.detach().contiguous())
    return torch.cat(parts)[: parameter.ds_numel].view(parameter.ds_shape)
