"""Runs inside an environment: native `load_state`, compared with the files by torch's own reader.

python reading.py DIRECTORY...
"""

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator


class Tied(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb = torch.nn.Embedding(7, 4)
        self.mid = torch.nn.Linear(4, 4)
        self.head = torch.nn.Linear(4, 7, bias=False)
        self.head.weight = self.emb.weight


def different(
    accelerator: Any, model: Any, optimizer: Any, scheduler: Any, directory: Path
) -> tuple[list[str], list[str]]:
    """Components that are not what the directory's files say."""
    files = {
        path.name: torch.load(str(path), map_location="cpu", weights_only=True)
        for path in directory.iterdir()
        if path.name[0] != "c" and path.suffix in (".bin", ".pkl")
    }
    weights = files["pytorch_model.bin"]
    states = files["random_states_0.pkl"]
    saved = files["optimizer.bin"]["state"]
    live = optimizer.state_dict()["state"]
    numpy_state = np.random.get_state()
    equal = {
        "model": all(torch.equal(t, weights[n]) for n, t in model.state_dict().items()),
        "optimizer": all(
            index in live and torch.equal(torch.as_tensor(live[index][key]), torch.as_tensor(value))
            for index, state in saved.items()
            for key, value in state.items()
        ),
        "scheduler": scheduler.state_dict()["last_epoch"] == files["scheduler.bin"]["last_epoch"],
        "rng.python": random.getstate() == states["random_state"],
        "rng.numpy": numpy_state[1].tolist() == states["numpy_random_seed"][1]
        and numpy_state[2:] == tuple(states["numpy_random_seed"][2:]),
        "rng.torch": torch.equal(torch.get_rng_state(), states["torch_manual_seed"]),
        "step": accelerator.step == states["step"],
    }
    return [name for name, same in equal.items() if not same], list(equal)


def check(directory: Path) -> dict[str, object]:
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    accelerator = Accelerator(cpu=True)
    accelerator.step = 9
    if (directory / "train_state.json").exists():
        parts = (torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))
        model = torch.nn.Sequential(*parts)
    else:
        model = Tied()
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)
    before, components = different(accelerator, model, optimizer, scheduler, directory)
    error = None
    try:
        accelerator.load_state(str(directory))
    except Exception as raised:  # noqa: BLE001 - whatever it is, the test shows it
        error = repr(raised)
    after, _ = different(accelerator, model, optimizer, scheduler, directory)
    answer = {"error": error, "components": components}
    return {**answer, "different before": before, "different after": after}


if __name__ == "__main__":
    for name in sys.argv[1:]:  # custom objects are tests/resume's and the grid's
        for custom in Path(name).glob("custom_checkpoint_*.pkl"):
            custom.unlink()
    print("\n" + json.dumps({Path(name).name: check(Path(name)) for name in sys.argv[1:]}))
