"""Runs inside an environment: saves a checkpoint, or says what loading some raises.

python raising.py save DIRECTORY          python raising.py load DIRECTORY...

`load` prints JSON: directory -> `Type: message`, or an empty text if it loads.
"""

import json
import sys
from typing import Any

import torch
from accelerate import Accelerator


class Counter:
    """An object of the script's own."""

    def __init__(self) -> None:
        self.seen = 0

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seen = state["seen"]


def prepared() -> Any:
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5)
    accelerator = Accelerator(cpu=True)
    model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)
    accelerator.register_for_checkpointing(Counter())
    accelerator.backward(model(torch.ones(3, 4)).sum())
    optimizer.step()
    scheduler.step()
    return accelerator


def raised_by(directory: str) -> str:
    try:
        prepared().load_state(directory)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return f"{type(error).__name__}: {error}"
    return ""


if sys.argv[1] == "save":
    prepared().save_state(sys.argv[2])
else:
    print(json.dumps({directory: raised_by(directory) for directory in sys.argv[2:]}))
