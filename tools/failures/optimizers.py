"""Failures of optimizer, scheduler and scaler, most of them only at the first step."""
# ruff: noqa: D103 (a case's name says what it does)

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from small_runs import Net, Run, rewritten, saved


def numpy_learning_rate(path: str) -> None:
    def change(state: dict[str, Any]) -> None:
        state["param_groups"][0]["lr"] = np.float64(0.01)

    Run().load(rewritten(saved(path), "optimizer.bin", change))


def scheduler_missing(path: str) -> None:
    (Path(saved(path)) / "scheduler.bin").unlink()
    Run().load(path)


def optimizer_missing(path: str) -> None:
    (Path(saved(path)) / "optimizer.bin").unlink()
    Run().load(path)


def scaler_missing(path: str) -> None:
    Run(scaler=True).load(saved(path))


def optimizer_truncated(path: str) -> None:
    file = Path(saved(path)) / "optimizer.bin"
    file.write_bytes(file.read_bytes()[:-100])
    Run().load(path)


def optimizer_empty(path: str) -> None:
    (Path(saved(path)) / "optimizer.bin").write_bytes(b"")
    Run().load(path)


def other_groups(path: str) -> None:
    Run(groups=2).load(saved(path))


def other_parameters(path: str) -> None:
    folder = Path(saved(path))
    other = Path(saved(path + "-other", model=torch.nn.Sequential(Net(), torch.nn.Linear(4, 4))))
    shutil.copy(other / "optimizer.bin", folder / "optimizer.bin")
    Run().load(path)


def other_optimizer_sgd(path: str) -> None:
    Run(optimizer=torch.optim.SGD).load(saved(path)).train()


def other_optimizer_adam(path: str) -> None:
    Run().load(saved(path, optimizer=torch.optim.SGD)).train()


def other_rank(path: str) -> None:
    run = Run(Net(8))
    run.accelerator.register_load_state_pre_hook(lambda models, folder: models.clear())
    run.load(saved(path)).train()


def momentum_to_adamw(path: str) -> None:
    """A state without step, which AdamW asks for while it is loaded."""
    momentum = lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9)  # noqa: E731
    Run().load(saved(path, optimizer=momentum))


def rmsprop_to_adamw(path: str) -> None:
    """A state with step and without exp_avg, which AdamW asks for at its first step."""
    Run().load(saved(path, optimizer=torch.optim.RMSprop)).train()


def scheduler_to_lambda(path: str) -> None:
    make = lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)  # noqa: E731
    Run(scheduler=make).load(saved(path))


def scheduler_to_one_cycle(path: str) -> None:
    make = lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(  # noqa: E731
        optimizer, max_lr=0.1, total_steps=10
    )
    Run(scheduler=make).load(saved(path)).train()


def scheduler_before_load(path: str) -> None:
    make = lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 1, last_epoch=3)  # noqa: E731
    Run(scheduler=make).load(saved(path))


def scaler_fp16(path: str) -> None:
    """A load hook that leaves the trained weights in half precision."""
    run = Run(scaler=True).train().save(path)
    run.load(path).raw.half()
    sum(p.sum() for p in run.raw.parameters()).backward()
    run.accelerator.scaler.unscale_(run.optimizer.optimizer)


def eight_bits(path: str) -> None:
    import bitsandbytes

    Run(optimizer=bitsandbytes.optim.AdamW8bit).load(saved(path)).train()


def eight_bits_groups(path: str) -> None:
    import bitsandbytes

    Run(optimizer=bitsandbytes.optim.AdamW8bit, groups=2).load(saved(path))


def schedule_free_evaluating(path: str) -> None:
    import schedulefree

    run = Run(optimizer=schedulefree.AdamWScheduleFree)
    run.optimizer.optimizer.train()
    run.train()
    run.optimizer.optimizer.eval()
    run.save(path).load(path).train()


def adamw_to_schedule_free(path: str) -> None:
    import schedulefree

    run = Run(optimizer=schedulefree.AdamWScheduleFree).load(saved(path))
    run.optimizer.optimizer.train()
    run.train()


def adamw_to_prodigy(path: str) -> None:
    import prodigyopt

    Run(optimizer=prodigyopt.Prodigy).load(saved(path)).train()


def scheduler_as_optimizer(path: str) -> None:
    folder = Path(saved(path))
    shutil.copy(folder / "scheduler.bin", folder / "optimizer.bin")
    Run().load(path)
