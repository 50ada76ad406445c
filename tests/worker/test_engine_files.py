"""Which process and which component a place in DeepSpeed's files belongs to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ckptmatrix.worker.layout import key_in
from ckptmatrix.worker.ownership import owners

ZERO = "pytorch_model/zero"
OPTIM = "pytorch_model/zero_pp_rank_1_mp_rank_00_optim_states.pt"


# A scenario's own module needs torch, which only environments have.
TWO: Any = SimpleNamespace(processes=(2, 2), files=())


@pytest.mark.parametrize(
    ("file", "path", "expected"),
    [
        (OPTIM, ("optimizer_state_dict", "base_optimizer_state", "state"), ("optimizer@1",)),
        (OPTIM, ("optimizer_state_dict", "optimizer_state_dict"), ("optimizer@1",)),
        (
            OPTIM,
            ("optimizer_state_dict", "single_partition_of_fp32_groups", 0),
            ("model", "model@1"),
        ),
        (OPTIM, ("optimizer_state_dict", "clip_grad"), ("engine@1",)),
        (OPTIM, ("optimizer_state_dict", "zero_stage"), ()),
        (OPTIM, ("ds_version",), ()),
        ("pytorch_model/mp_rank_00_model_states.pt", ("global_steps",), ("engine", "engine@1")),
        ("pytorch_model/zero_pp_rank_0_mp_rank_00_model_states.pt", ("global_steps",), ("engine",)),
        ("latest", ("any",), ()),
        ("latest_universal", ("any",), ()),
        (f"{ZERO}/0.weight/fp32.pt", ("param",), ("model", "model@1")),
        (f"{ZERO}/0.weight/exp_avg.pt", ("param",), ("optimizer", "optimizer@1")),
        (f"{ZERO}/0.weight/exp_avg.pt", ("cat_dim",), ()),
        (f"{ZERO}/optimizer_state.pt", ("param_groups", 0), ("optimizer", "optimizer@1")),
        (f"{ZERO}/optimizer_state.pt", ("clip_grad",), ("engine", "engine@1")),
        (f"{ZERO}/optimizer_state.pt", ("overflow",), ()),
    ],
)
def test_a_place_belongs_to_the_process_that_reads_it(
    file: str, path: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert owners(TWO, file, key_in(file, path)) == expected


def test_a_shard_as_a_whole_is_of_one_process_its_weights_of_all() -> None:
    assert set(owners(TWO, OPTIM, None)) == {"optimizer@1", "engine@1", "model", "model@1"}
