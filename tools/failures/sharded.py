"""Failures of sharded checkpoints, in one process: torch.distributed.checkpoint, DeepSpeed."""
# ruff: noqa: D103 (a case's name says what it does)

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
from small_runs import Net


def _dcp(path: str) -> Any:
    import torch.distributed.checkpoint as dcp

    folder = f"{path}/pytorch_model_fsdp_0"
    dcp.save(Net().state_dict(), checkpoint_id=folder)
    return dcp, folder


def metadata_gone(path: str) -> None:
    dcp, folder = _dcp(path)
    (Path(folder) / ".metadata").unlink()
    dcp.load(Net().state_dict(), checkpoint_id=folder)


def shard_gone(path: str) -> None:
    dcp, folder = _dcp(path)
    for shard in Path(folder).glob("*.distcp"):
        shard.unlink()
    dcp.load(Net().state_dict(), checkpoint_id=folder)


def key_gone(path: str) -> None:
    dcp, folder = _dcp(path)
    dcp.load({**Net().state_dict(), "optimizer.state.0.step": torch.ones(1)}, checkpoint_id=folder)


def _engine(model: Any = None) -> Any:
    os.environ.update(DS_ACCELERATOR="cpu", RANK="0", LOCAL_RANK="0", WORLD_SIZE="1")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29571")
    import deepspeed

    # Its name is hidden by torch itself; without this it would compile for minutes.
    setattr(sys.modules["deepspeed.comm.torch"], "build_shm_op", lambda: None)  # noqa: B010
    deepspeed.init_distributed(dist_backend="gloo", auto_mpi_discovery=False)
    model = model or Net()
    engine, *_ = deepspeed.initialize(
        model=model,
        optimizer=torch.optim.Adam(model.parameters(), lr=0.01),
        config={
            "train_micro_batch_size_per_gpu": 2,
            "zero_optimization": {"stage": 1},
            "zero_force_ds_cpu_optimizer": False,
            "zero_allow_untested_optimizer": True,
        },
    )
    return engine


def latest_gone(path: str) -> None:
    engine = _engine()
    engine.save_checkpoint(path)
    (Path(path) / "latest").unlink()
    engine.load_checkpoint(path)


def model_states_gone(path: str) -> None:
    engine = _engine()
    engine.save_checkpoint(path)
    for file in Path(path).glob("*/mp_rank_*"):
        file.unlink()
    engine.load_checkpoint(path)


def other_world_size(path: str) -> None:
    engine = _engine()
    engine.save_checkpoint(path)
    for file in Path(path).glob("*/mp_rank_*"):
        state = torch.load(file, weights_only=False)
        state["dp_world_size"] = 2
        torch.save(state, file)
    engine.load_checkpoint(path)


def adapter_alone(path: str) -> None:
    """What is saved of a model whose frozen weights are left out."""
    engine = _engine()
    engine.module.first.weight.requires_grad = False
    engine.save_checkpoint(path, exclude_frozen_parameters=True)
    engine.load_checkpoint(path)


def _gathered_fsdp2(path: str, rank: int) -> None:
    """Saved and loaded by two processes on the CPU, of which this is one; they wait ten seconds."""
    import tempfile
    from datetime import timedelta

    from accelerate import Accelerator, FullyShardedDataParallelPlugin
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    folder = tempfile.mkdtemp(dir=str(Path(path).parent))
    other = os.fork()
    rank = rank if other else 1 - rank
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", LOCAL_WORLD_SIZE="2")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29572")
    try:
        torch.distributed.init_process_group(
            "gloo", f"file://{folder}/store", timedelta(seconds=10), rank=rank, world_size=2
        )
        PartialState(cpu=True)
        shared: dict[str, Any] = PartialState._shared_state
        shared.update(distributed_type=DistributedType.MULTI_GPU, device=torch.device("cpu"))
        plugin = FullyShardedDataParallelPlugin(
            fsdp_version=2,
            state_dict_type="FULL_STATE_DICT",
            sync_module_states=False,
            cpu_ram_efficient_loading=False,
        )
        accelerator = Accelerator(cpu=True, fsdp_plugin=plugin)
        model = torch.nn.Linear(4, 4)
        model, _ = accelerator.prepare(model, torch.optim.Adam(model.parameters()))
        accelerator.save_state(path)
        accelerator.load_state(path)
    finally:
        if not other:
            os._exit(1)


def fsdp2_first_waits(path: str) -> None:
    """accelerate 1.7.0 to 1.8.1: the first process sends, and nobody takes part."""
    _gathered_fsdp2(path, 0)


def fsdp2_others_wait(path: str) -> None:
    """The same seen by the second process, which is at the optimizer already."""
    _gathered_fsdp2(path, 1)
