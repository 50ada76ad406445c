"""Gradient accumulation over 4, saved after 6 micro-batches: between two optimizer steps.

The accumulated gradients are in no checkpoint of any release, so no resume is exact here: they are
`unsaved`, and the loss differs from the next optimizer step on. What `step` decides shows before
that: a reader that does not have it steps after the 4th micro-batch instead of the 2nd, and the
learning rate differs first. The loader is the script's own, not prepared, since accelerate always
steps at the end of a prepared one. `accumulation-aligned` is the same, saved between two rounds.
"""

from __future__ import annotations

from typing import Any

from ckptmatrix.worker.components import COMPONENTS, Component, unwrap
from ckptmatrix.worker.release import accepts, new_accelerator
from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.training import Training, record

ROUND = 4


class Gradients(Component):
    """Gradients of the models, by index and name; None where there is none yet."""

    name = "gradients"

    def capture(self, training: Training) -> Any:
        return {
            str(index): {name: p.grad for name, p in unwrap(model).named_parameters()}
            for index, model in enumerate(training.models)
        }

    def inject(self, training: Training, value: Any) -> None:
        for index, model in enumerate(training.models):
            for name, parameter in unwrap(model).named_parameters():
                found = value[str(index)][name]
                parameter.grad = found if found is None else found.to(parameter.device)


class Accumulation(Basic):
    """`with accelerator.accumulate(model)`, saved in the middle of a round."""

    components = (*COMPONENTS, Gradients())
    passes = 1
    """How often the 6 batches are gone over before the save."""

    def unsupported(self, device: str) -> str:
        if not accepts("__init__", "gradient_accumulation_steps"):
            return "it has no gradient accumulation (0.11.0 is the first that has)"
        return ""

    def accelerator(self, device: str) -> Any:
        return new_accelerator(device, gradient_accumulation_steps=ROUND)

    def build(self, device: str) -> Training:
        accelerator, model = self.accelerator(device), self.model()
        optimizers = self.optimizers(model)
        schedulers = self.schedulers(optimizers)
        model, optimizer, scheduler = accelerator.prepare(model, *optimizers, *schedulers)
        custom = self.custom()
        accelerator.register_for_checkpointing(*custom)
        loaders = [self.dataloader()]
        return Training(accelerator, [model], [optimizer], [scheduler], loaders, custom)

    def before(self, training: Training) -> None:
        for _ in range(self.passes):
            self.epoch(training)
        if training.accelerator.step != 6 * self.passes:
            raise RuntimeError(f"asked for 6 micro-batches a pass, got {training.accelerator.step}")

    def step(self, training: Training, batch: Any) -> dict[str, Any]:
        batch = [part.to(training.accelerator.device) for part in batch]
        with training.accelerator.accumulate(training.models[0]):
            loss = self.loss(training, batch)
            training.accelerator.backward(loss)
            training.optimizers[0].step()
            training.schedulers[0].step()
            training.optimizers[0].zero_grad()
        training.custom[0].update(loss.item())
        return record(training, loss, batch[0])

    def after(self, training: Training) -> list[dict[str, Any]]:
        return self.epoch(training) + self.epoch(training)


scenario = Accumulation
