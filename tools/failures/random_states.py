"""Failures of random states and registered objects."""
# ruff: noqa: D103 (a case's name says what it does)

from __future__ import annotations

from pathlib import Path

import torch
from small_runs import Run, rename_in_zip, rewritten, saved


def step_as_saved(path: str) -> None:
    Run().load(saved(path))


def step_not_in_file(path: str) -> None:
    Run().load(rewritten(saved(path), "random_states_0.pkl", lambda s: s.pop("step", None)))


def step_without_file(path: str) -> None:
    (Path(saved(path)) / "random_states_0.pkl").unlink()
    Run().load(path)


def random_other_numpy(path: str) -> None:
    """The names of the other numpy in the pickle, as that numpy would have written them."""
    file = Path(saved(path)) / "random_states_0.pkl"
    here, there = b"numpy._core.multiarray", b"numpy.core.multiarray"
    if here not in file.read_bytes():
        here, there = there, here
    rename_in_zip(file, here, there)
    Run().load(path)


def random_damaged(path: str) -> None:
    (Path(saved(path)) / "random_states_0.pkl").write_bytes(b"")
    Run().load(path)


def random_loads(path: str) -> None:
    Run().load(saved(path))


def custom_numpy(path: str) -> None:
    Run(custom=1).load(saved(path, custom=1))


def custom_new_numpy(path: str) -> None:
    file = Path(saved(path, custom=1)) / "custom_checkpoint_0.pkl"
    rename_in_zip(file, b"numpy.core.multiarray", b"numpy._core.multiarray")
    Run(custom=1).load(path)


def rng_size(path: str) -> None:
    torch.set_rng_state(torch.zeros(5048, dtype=torch.uint8))


def rng_bytes(path: str) -> None:
    torch.set_rng_state(torch.full((torch.get_rng_state().numel(),), 255, dtype=torch.uint8))


def rng_list(path: str) -> None:
    torch.set_rng_state([1, 2, 3])


def rng_dtype(path: str) -> None:
    torch.set_rng_state(torch.zeros(10))


def no_cuda_key(path: str) -> None:
    change = lambda states: states.pop("torch_cuda_manual_seed", None)  # noqa: E731
    Run().load(rewritten(saved(path), "random_states_0.pkl", change))
