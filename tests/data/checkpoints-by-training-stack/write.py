"""Write one of the directories beside this file; run in the environment that its name tells.

    ENVIRONMENT/bin/python write.py DIRECTORY plain|lora

`plain` is model, Adam, StepLR, a shuffled dataloader and one registered object. `lora` has the
shape of kohya's network training: a base model and a network are prepared, a save hook takes the
base out and writes train_state.json. Both have `accelerator.step = 360`.
"""

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator


class Counter:
    def __init__(self) -> None:
        self.seen, self.mean = 7, torch.zeros(3)

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen, "mean": self.mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seen, self.mean = state["seen"], state["mean"]


def keep_network_only(models: list[Any], weights: list[Any], directory: str) -> None:
    for index in reversed(range(len(models))):
        if isinstance(models[index], torch.nn.Conv1d):
            weights.pop(index)
    state = {"current_epoch": 30, "current_step": 360}
    Path(directory, "train_state.json").write_text(json.dumps(state))


def main(directory: str, kind: str) -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    accelerator = Accelerator(cpu=True)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    loader = torch.utils.data.DataLoader(torch.randn(16, 4), shuffle=True, batch_size=4)
    if kind == "lora":
        accelerator.prepare(torch.nn.Conv1d(1, 1, 1))
        accelerator.register_save_state_pre_hook(keep_network_only)
    else:
        accelerator.register_for_checkpointing(Counter())
    network, optimizer, scheduler, loader = accelerator.prepare(
        network, optimizer, scheduler, loader
    )
    for batch in loader:
        accelerator.backward(network(batch).square().sum())
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    accelerator.step = 360
    accelerator.save_state(directory)


if __name__ == "__main__":
    main(*sys.argv[1:])
