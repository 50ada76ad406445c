"""A trainer that keeps a moving average of its model; its hooks save both, and draw while they do.

python train.py                               # trains, saves after each epoch
python train.py --resume-from out/checkpoint-6
"""

import argparse
from pathlib import Path

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, TensorDataset

EPOCHS = 4


class Average:
    """An exponential moving average of a model's parameters."""

    def __init__(self, model):
        self.shadow = {name: p.detach().clone() for name, p in model.named_parameters()}

    def update(self, model):
        for name, parameter in model.named_parameters():
            self.shadow[name] = self.shadow[name].lerp(parameter.detach(), 0.1)

    def state_dict(self):
        return dict(self.shadow)

    def load_state_dict(self, state):
        self.shadow = {name: value.clone() for name, value in state.items()}


def train(resume_from=None, out="out"):
    """Train; saves in `out` after each epoch, and yields each time that it has."""
    accelerator = Accelerator()
    model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.SiLU(), torch.nn.Linear(8, 5))
    average = Average(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=24)
    clean = torch.cos(torch.arange(120.0)).reshape(24, 5)
    loader = DataLoader(TensorDataset(torch.arange(24), clean), batch_size=4, shuffle=True)
    model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)

    def save_hook(models, weights, directory):
        Path(directory, "model").mkdir(parents=True, exist_ok=True)
        for one in models:
            plain = accelerator.unwrap_model(one)
            torch.save(plain.state_dict(), f"{directory}/model/weights.pt")
            torch.save(average.state_dict(), f"{directory}/ema.pt")
            with torch.no_grad():  # a sample to look at, as many trainers make one
                torch.save(plain(torch.randn(1, 5)), f"{directory}/sample.pt")
            weights.pop()

    def load_hook(models, directory):
        average.load_state_dict(torch.load(f"{directory}/ema.pt", map_location="cpu"))
        while models:
            state = torch.load(f"{directory}/model/weights.pt", map_location="cpu")
            accelerator.unwrap_model(models.pop()).load_state_dict(state)

    accelerator.register_save_state_pre_hook(save_hook)
    accelerator.register_load_state_pre_hook(load_hook)
    step = 0
    if resume_from:
        accelerator.load_state(resume_from)
        step = int(Path(resume_from).name.split("-")[1])

    while step < EPOCHS * len(loader):
        for index, inputs in loader:
            noise = torch.randn_like(inputs)
            loss = torch.nn.functional.mse_loss(model(inputs + noise), noise)
            accelerator.backward(loss)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            average.update(accelerator.unwrap_model(model))
            step += 1
            kept = sum(value.double().sum().item() for value in average.shadow.values())
            lr = scheduler.get_last_lr()[0]
            print(f"{step} loss {loss.item()} lr {lr} ema {kept} samples {index.tolist()}")
        accelerator.save_state(f"{out}/checkpoint-{step}")
        yield f"{out}/checkpoint-{step}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--resume-from")
    for place in train(parser.parse_args().resume_from):
        print(f"saved {place}")
