"""Runs inside an environment: saves states, or loads them with `resume.load_state` and compares.

python training.py save DIRECTORY           one checkpoint for each state, and its truth
python training.py load JOBS.json           a list of {"directory", "state", "arguments"}
"""

import hashlib
import json
import random
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, utils

STATES = ("kohya", "tied", "custom", "seedable")


class History:
    """A registered object with all that an allow list must let through."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def state_dict(self) -> dict[str, Any]:
        return {
            "tensor": torch.full((3,), float(self.seed)),
            "array": np.arange(4) * self.seed,
            "scalar": np.float64(self.seed),
            "bytes": b"\x80",
            "set": {self.seed},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        assert isinstance(state["array"], np.ndarray)
        assert type(state["scalar"]) is np.float64
        assert state["bytes"] == b"\x80"
        [self.seed] = state["set"]
        assert (state["array"] == self.state_dict()["array"]).all()
        assert torch.equal(state["tensor"], self.state_dict()["tensor"])


class Tied(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(5, 3)
        self.head = torch.nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(x.abs().long() % 5))


def _sampling(state: str) -> dict[str, Any]:
    """What makes `Accelerator` use its seedable sampler, where the release takes it so."""
    configuration = getattr(utils, "DataLoaderConfiguration", None)
    if state != "seedable" or configuration is None:
        return {}
    return {"dataloader_config": configuration(use_seedable_sampler=True)}


class Training:
    """A small training state; every seed gives another one."""

    def __init__(self, state: str, seed: int) -> None:
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        self.accelerator = Accelerator(cpu=True, **_sampling(state))
        self.accelerator.step = seed
        self.model = Tied() if state == "tied" else torch.nn.Linear(3, 3)
        self.frozen = torch.nn.Linear(1, 1)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.1 / seed)
        self.scheduler = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, [2, 5], 0.5)
        data = torch.utils.data.TensorDataset(torch.randn(8, 3))
        loader = torch.utils.data.DataLoader(data, batch_size=2, shuffle=True)
        extra = [self.frozen] if state == "kohya" else []
        prepared = self.accelerator.prepare(
            self.model, self.optimizer, self.scheduler, loader, *extra
        )
        self.model, self.optimizer, self.scheduler, self.loader = prepared[:4]
        self.history = History(seed)
        self.seen_by_hook = None
        if state == "custom":
            self.accelerator.register_for_checkpointing(self.history)
        if state == "kohya":
            self.accelerator.register_save_state_pre_hook(self.save_hook)
            self.accelerator.register_load_state_pre_hook(self.load_hook)

    def save_hook(self, models: list[Any], weights: list[Any], output_dir: str) -> None:
        weights.pop()
        Path(output_dir, "train_state.json").write_text(
            '{"current_epoch": 30, "current_step": 360}'
        )

    def load_hook(self, models: list[Any], input_dir: str) -> None:
        models.pop()
        self.seen_by_hook = json.loads(Path(input_dir, "train_state.json").read_text())

    def train(self) -> float:
        for (batch,) in self.loader:
            loss = self.model(batch).square().mean()
            self.accelerator.backward(loss)
            self.optimizer.step()
            self.scheduler.step()
            self.optimizer.zero_grad()
            random.random()
            np.random.rand()
        return float(loss)

    def components(self) -> dict[str, str]:
        numpy_state = np.random.get_state()
        scheduler = self.scheduler.state_dict()
        parts = {
            "model": {n: t.tolist() for n, t in self.model.state_dict().items()},
            "optimizer": [
                {key: torch.as_tensor(value).tolist() for key, value in state.items()}
                for state in self.optimizer.state_dict()["state"].values()
            ],
            "scheduler": [scheduler["last_epoch"], scheduler["_last_lr"]],
            "rng.python": random.getstate(),
            "rng.numpy": [numpy_state[0], numpy_state[1].tolist(), *numpy_state[2:]],
            "rng.torch": torch.get_rng_state().tolist(),
            "step": self.accelerator.step,
            "custom": self.history.seed,
        }
        return {n: hashlib.sha256(json.dumps(p).encode()).hexdigest() for n, p in parts.items()}


def save(directory: str) -> dict[str, dict[str, str]]:
    truth = {}
    for state in STATES:
        training = Training(state, 7)
        training.train()
        training.accelerator.step = 360
        truth[state] = training.components()
        training.accelerator.save_state(str(Path(directory, state)))
    return truth


def load(jobs: str) -> list[dict[str, Any]]:
    from resume import ResumeError, load_state  # type: ignore[import-not-found]  # copied beside

    answers = []
    torch_load = torch.load
    for job in json.loads(Path(jobs).read_text()):
        training = Training(job["state"], 11)
        answer: dict[str, Any] = {"before": training.components(), "error": None, "report": {}}
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                report = load_state(training.accelerator, job["directory"], **job["arguments"])
            answer["warned"] = [str(w.message) for w in warned if w.filename == __file__]
            answer["report"] = {n: [c.status, c.how] for n, c in report.components.items()}
        except ResumeError as error:
            answer["error"] = str(error)
        answer["after"] = training.components()
        answer["hook"] = training.seen_by_hook
        hooks = getattr(training.accelerator, "_load_model_state_pre_hook", {})
        answer["as it was"] = torch.load is torch_load and len(hooks) == (job["state"] == "kohya")
        answers.append(answer)
    return answers


if __name__ == "__main__":
    print("\n" + json.dumps({"save": save, "load": load}[sys.argv[1]](sys.argv[2])))
