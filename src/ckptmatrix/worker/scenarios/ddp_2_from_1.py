"""Saved by one process, loaded by two: rank 1 finds no `random_states_1.pkl`."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.ddp_2 import Ddp2


class Ddp2From1(Ddp2):
    """One process writes, two read."""

    processes = (1, 2)


scenario = Ddp2From1
