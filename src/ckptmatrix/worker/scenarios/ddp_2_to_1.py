"""Saved by two processes, loaded by one: `random_states_1.pkl` is left over."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.ddp_2 import Ddp2


class Ddp2To1(Ddp2):
    """Two processes write, one reads."""

    processes = (2, 1)


scenario = Ddp2To1
