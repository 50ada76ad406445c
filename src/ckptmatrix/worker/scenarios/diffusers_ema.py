"""As diffusers' training scripts do: hooks save the model into `unet/` and its moving average into
`unet_ema/`, each with a `config.json`, and leave no weights for accelerate to save at top level.

The average's own settings (decay, steps done) are in its config, next to its weights.
"""

from __future__ import annotations

import json
import os
from typing import Any

import torch
from safetensors.torch import save_file

from ckptmatrix.worker.components import HookFiles, components_with, unwrap
from ckptmatrix.worker.release import accepts
from ckptmatrix.worker.scenarios.basic import FEATURES, Basic, network
from ckptmatrix.worker.stored import read_weights, stored
from ckptmatrix.worker.training import Training
from ckptmatrix.worker.words import Part

WEIGHTS = "diffusion_pytorch_model.safetensors"


class Average:
    """An exponential moving average of a model's parameters."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.decay, self.optimization_step = 0.9, 0
        self.shadow = {n: p.detach().clone() for n, p in unwrap(model).named_parameters()}

    def update(self, model: torch.nn.Module) -> None:
        self.optimization_step += 1
        decay = min(self.decay, (1 + self.optimization_step) / (10 + self.optimization_step))
        for name, parameter in unwrap(model).named_parameters():
            self.shadow[name] = self.shadow[name] + (1 - decay) * (
                parameter.detach() - self.shadow[name]
            )

    def state(self) -> dict[str, Any]:
        return {**self.config(), "shadow": dict(self.shadow)}

    def config(self) -> dict[str, Any]:
        return {"decay": self.decay, "optimization_step": self.optimization_step}

    def take(self, state: dict[str, Any]) -> None:
        self.decay, self.optimization_step = state["decay"], state["optimization_step"]
        for name, value in state["shadow"].items():
            self.shadow[name] = value.to(self.shadow[name].device)


class AverageState(HookFiles):
    """The moving average and its config."""

    def capture(self, training: Training) -> Any:
        return training.extra.average.state()

    def inject(self, training: Training, value: Any) -> None:
        training.extra.average.take(value)


def _write(folder: str, tensors: dict[str, torch.Tensor], config: dict[str, Any]) -> None:
    os.makedirs(folder, exist_ok=True)
    save_file({n: t.detach().contiguous() for n, t in tensors.items()}, f"{folder}/{WEIGHTS}")
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)


def _read(folder: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        return read_weights(os.path.join(folder, WEIGHTS)), json.load(file)


def _average_state(directory: str) -> dict[str, Any]:
    shadow, config = _read(os.path.join(directory, "unet_ema"))
    return {**config, "shadow": shadow}


class DiffusersEma(Basic):
    """A model that hooks save, with an average of it."""

    files = (("unet/*", Part.MODEL),)

    components = components_with(AverageState())

    def unsupported(self, device: str) -> str:
        if not accepts("register_save_state_pre_hook", "hook"):
            return "it has no hooks for save_state (0.16.0 is the first that has)"
        return ""

    def custom(self) -> list[Any]:
        return []

    def build(self, device: str) -> Training:
        training = super().build(device)
        training.extra.average = Average(training.models[0])

        def save_hook(models: list[Any], weights: list[Any], directory: str) -> None:
            folder = os.path.join(directory, "unet_ema")
            _write(folder, training.extra.average.shadow, training.extra.average.config())
            for model in models:
                config = {"in_features": FEATURES}
                _write(os.path.join(directory, "unet"), unwrap(model).state_dict(), config)
                weights.pop()

        def load_hook(models: list[Any], directory: str) -> None:
            training.extra.average.take(_average_state(directory))
            while models:
                tensors, config = _read(os.path.join(directory, "unet"))
                with torch.random.fork_rng(devices=()):  # diffusers' models draw nothing here
                    published = network()
                if config["in_features"] != published[0].in_features:
                    raise ValueError(f"unet/ is another model: {config}")
                published.load_state_dict(tensors)
                unwrap(models.pop()).load_state_dict(published.state_dict())

        training.accelerator.register_save_state_pre_hook(save_hook)
        training.accelerator.register_load_state_pre_hook(load_hook)
        return training

    def step(self, training: Training, batch: Any) -> dict[str, Any]:
        found = super().step(training, batch)
        training.extra.average.update(training.models[0])
        mean = torch.stack([value.mean() for value in training.extra.average.shadow.values()]).sum()
        return {**found, "average": float(mean).hex()}

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        weights = _read(os.path.join(directory, "unet"))[0]
        average = _average_state(directory)
        plain = stored(training, directory)
        return {**plain, Part.MODEL: {"0": weights}, Part.HOOK_FILES: average}


scenario = DiffusersEma
