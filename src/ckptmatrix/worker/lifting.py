"""FSDP and DeepSpeed on the CPU: what stands in their way, taken away in the process that trains.

accelerate makes FSDP only of what it has found to run on several GPUs (in
`AcceleratorState.__init__`); of the same script on the CPU it makes plain data parallel training,
without a word. Its code that shards, saves and loads asks for no GPU: it runs in gloo processes as
it is. One thing more is torch's: FSDP1 gathers a full state dict "to the CPU", that is, copies the
gathered weights there and frees the original, which on the CPU is the only copy.

DeepSpeed trains on the CPU by itself; accelerate asks for it only where it is not told to stay on
the CPU, and then for NCCL. One thing more is DeepSpeed's: between processes of one machine it sums
by an operator in C++, which it compiles first, under a lock that a killed run leaves behind.

On a GPU nothing is lifted.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from contextlib import nullcontext
from typing import Any

import torch
from accelerate import state
from accelerate.utils import DistributedType

LIFTED = "on the CPU, FSDP's gate lifted"
"""What is said of each checkpoint and load that was measured so."""


LIFTED_SCALER = "on the CPU, FSDP's and its gradient scaler's gates lifted"
"""The same where a gradient scaler was made too."""


LIFTED_DEEPSPEED = "on the CPU, DeepSpeed's gate lifted"
"""The same of DeepSpeed."""


def why_not_lifted(what: str = "FSDP") -> str:
    """Why this release's gate cannot be lifted; empty if it can."""
    if hasattr(state, "PartialState"):
        return ""
    return f"this release's {what} cannot be had without GPUs (it can from 0.17.0 on)"


def alone() -> None:
    """Be a training of one process as `torchrun` would start it: accelerate shards that too."""
    os.environ.update(
        RANK="0",
        LOCAL_RANK="0",
        WORLD_SIZE="1",
        LOCAL_WORLD_SIZE="1",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT="0",  # any that is free
    )


def lift_fsdp() -> None:
    """Let the next `Accelerator` of this process make FSDP of gloo processes."""
    state.PartialState(cpu=True)
    _join_by_gloo()
    shared: dict[str, Any] = state.PartialState._shared_state
    shared["distributed_type"] = DistributedType.MULTI_GPU
    shared["device"] = torch.device("cpu")  # FSDP1 refuses `cpu:0`
    from torch.distributed.fsdp import _flat_param  # only who shards imports so much

    handles: Any = _flat_param.FlatParamHandle
    handles.to_cpu = lambda handle: nullcontext()


def lift_scaler(accelerator: Any) -> None:
    """Give it the scaler that accelerate makes for FSDP2 in float16 on a GPU, and its autocast."""
    from accelerate.utils import get_fsdp2_grad_scaler  # as old as its FSDP2 is

    accelerator.native_amp = True
    accelerator.scaler = get_fsdp2_grad_scaler(device="cpu")


def lift_deepspeed() -> None:
    """Let the next `Accelerator` of this process make DeepSpeed of gloo processes."""
    os.environ["DS_ACCELERATOR"] = "cpu"
    os.environ["LOCAL_SIZE"] = os.environ["LOCAL_WORLD_SIZE"]  # else `numactl` is asked for it
    os.environ["TORCH_EXTENSIONS_DIR"] = compiled_here()
    # Its package has torch itself under the module's name as well.
    processes: Any = importlib.import_module("deepspeed.comm.torch")
    processes.build_shm_op = lambda: None
    state.PartialState(cpu=True)
    _join_by_gloo()
    os.environ.pop("ACCELERATE_USE_CPU", None)
    shared: dict[str, Any] = state.PartialState._shared_state
    shared["distributed_type"] = DistributedType.DEEPSPEED
    shared["device"] = torch.device("cpu")


def _join_by_gloo() -> None:
    """What a process that is alone has not done by now, and on GPUs would have."""
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")


def compiled_here() -> str:
    """The folder of what this process alone would compile; there is none as long as it does not."""
    return os.path.join(tempfile.gettempdir(), f"ckptmatrix-extensions-{os.getpid()}")
