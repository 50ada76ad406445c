"""A plain training loop, in the manner of accelerate's own checkpointing example.

    python train.py                                  # trains, saves every five steps
    python train.py --resume-from out/step_5         # goes on from there

It makes its own small data, so that nothing is downloaded.
"""

import argparse
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.utils.data import DataLoader, Dataset

SAVE_EVERY = 5
EPOCHS = 4


class Waves(Dataset):
    """Points of a wave, and the wave there."""

    def __len__(self):
        return 32

    def __getitem__(self, index):
        x = torch.linspace(0, 1, 4) + index / 32
        return {"index": index, "x": x, "y": torch.sin(6 * x).sum().reshape(1)}


def train(resume_from=None, out="out"):
    """Train; saves in `out`, and yields each time that it has."""
    set_seed(42)
    accelerator = Accelerator(gradient_accumulation_steps=2)
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 16), torch.nn.Dropout(0.1), torch.nn.ReLU(), torch.nn.Linear(16, 1)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=16)
    loader = DataLoader(Waves(), batch_size=4, shuffle=True)
    model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)

    step = first_epoch = skipped = 0
    if resume_from:
        accelerator.load_state(resume_from)
        step = int(Path(resume_from).name.split("_")[1])
        first_epoch, skipped = divmod(step, len(loader))

    for epoch in range(first_epoch, EPOCHS):
        model.train()
        resuming = epoch == first_epoch and skipped
        for batch in accelerator.skip_first_batches(loader, skipped) if resuming else loader:
            with accelerator.accumulate(model):
                loss = torch.nn.functional.mse_loss(model(batch["x"]), batch["y"])
                accelerator.backward(loss)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
            step += 1
            lr = scheduler.get_last_lr()[0]
            print(f"step {step} loss {loss.item()} lr {lr} samples {batch['index'].tolist()}")
            if step % SAVE_EVERY == 0 or step % len(loader) == 0:
                accelerator.save_state(f"{out}/step_{step}")
                yield f"{out}/step_{step}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--resume-from")
    for place in train(parser.parse_args().resume_from):
        print(f"saved {place}")
