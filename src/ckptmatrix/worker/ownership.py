"""Which component a place in a checkpoint belongs to: by its file, and in some by the key.

Files that accelerate does not write come from a script's own hooks; a scenario that has such files
for anything but `hook_files` names them in `Scenario.files`.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from ckptmatrix.worker.merging import of_rank

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Scenario

_FILES = {
    r"(pytorch_)?model(_\d+|-\d+-of-\d+)?\.(bin|safetensors)(\.index\.json)?": "model",
    r"optimizer(_\d+)?\.bin": "optimizer",
    r"scheduler(_\d+)?\.bin": "scheduler",
    r"(sampler|dl_state_dict)(_\d+)?\.bin": "dataloader",
    r"scaler\.pt": "scaler",
    r"custom_checkpoint_\d+\.pkl": "custom",
}
_RANDOM = r"random_states_(\d+)\.pkl"
_KEYS = {
    "random_state": "rng.python",
    "numpy_random_seed": "rng.numpy",
    "torch_manual_seed": "rng.torch",
    "torch_cuda_manual_seed": "rng.cuda",
    "step": "step",
}


def owners(scenario: Scenario, file: str, key: str | None) -> list[str]:
    """Components, of every process that reads the place.

    Args:
        scenario: whose checkpoint it is.
        file: path below the checkpoint's directory.
        key: the first key in the file; None for the file as a whole.
    """
    readers = scenario.processes[1]
    of_one = re.fullmatch(_RANDOM, file)
    if of_one:
        rank = int(of_one[1])
        names = list(_KEYS.values()) if key is None else [_KEYS[key]] if key in _KEYS else []
        return [of_rank(name, rank) for name in names] if rank < readers else []
    return [of_rank(_owner(scenario, file), rank) for rank in range(readers)]


def _owner(scenario: Scenario, file: str) -> str:
    for pattern, component in scenario.files:
        if fnmatch.fnmatch(file, pattern):
            return component
    for pattern, component in _FILES.items():
        if re.fullmatch(pattern, file):
            return component
    return "hook_files"
