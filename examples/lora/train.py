"""A LoRA over a frozen base: hooks keep the base out of the checkpoint and write train_state.json.

python train.py                                       # trains, saves after each epoch
python train.py --resume-from out/epoch-000001-state  # goes on from there
"""

import argparse
import json
from pathlib import Path

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, TensorDataset

EPOCHS = 4


class Base(torch.nn.Module):
    """What was trained long ago: the same numbers each time."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(6, 6)
        with torch.no_grad():
            self.layer.weight.copy_(torch.sin(torch.arange(36.0)).reshape(6, 6))
            self.layer.bias.zero_()
        self.requires_grad_(False)

    def forward(self, x, change):
        return torch.tanh(self.layer(x) + change)


class Lora(torch.nn.Module):
    """The low-rank change that is trained."""

    def __init__(self):
        super().__init__()
        self.down = torch.nn.Linear(6, 2, bias=False)
        self.up = torch.nn.Linear(2, 6, bias=False)
        self.drop = torch.nn.Dropout(0.1)

    def forward(self, x):
        return self.up(self.drop(self.down(x)))


def train(resume_from=None, out="out"):
    """Train; saves in `out` after each epoch, and yields each time that it has."""
    accelerator = Accelerator(gradient_accumulation_steps=4)
    base, lora = Base(), Lora()
    optimizer = torch.optim.AdamW(lora.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.9)
    x = torch.cos(torch.arange(144.0)).reshape(24, 6)
    data = TensorDataset(torch.arange(24), x, torch.roll(x, 1, 0))
    loader = DataLoader(data, batch_size=4, shuffle=True)
    base, lora, optimizer, loader, scheduler = accelerator.prepare(
        base, lora, optimizer, loader, scheduler
    )
    state = {"epoch": 0, "step": 0}

    def is_lora(model):
        return isinstance(accelerator.unwrap_model(model), Lora)

    def save_hook(models, weights, directory):
        for index in reversed(range(len(models))):
            if not is_lora(models[index]) and index < len(weights):
                weights.pop(index)
        Path(directory, "train_state.json").write_text(json.dumps(state))

    def load_hook(models, directory):
        models[:] = [model for model in models if is_lora(model)]
        state.update(json.loads(Path(directory, "train_state.json").read_text()))

    accelerator.register_save_state_pre_hook(save_hook)
    accelerator.register_load_state_pre_hook(load_hook)
    if resume_from:
        accelerator.load_state(resume_from)

    while state["epoch"] < EPOCHS:
        for index, inputs, targets in loader:
            with accelerator.accumulate(lora):
                loss = torch.nn.functional.mse_loss(base(inputs, lora(inputs)), targets)
                accelerator.backward(loss)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
            state["step"] += accelerator.sync_gradients
            lr = scheduler.get_last_lr()[0]
            print(f"{state['step']} loss {loss.item()} lr {lr} samples {index.tolist()}")
        state["epoch"] += 1
        place = f"{out}/epoch-{state['epoch']:06d}-state"
        accelerator.save_state(place)
        yield place


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--resume-from")
    for place in train(parser.parse_args().resume_from):
        print(f"saved {place}")
