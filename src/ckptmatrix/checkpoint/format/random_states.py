"""What `random_states_N.pkl` holds, in every release (`save_accelerator_state`)."""

from enum import StrEnum


class RandomKey(StrEnum):
    """The keys of the file that belong to components."""

    PYTHON = "random_state"
    NUMPY = "numpy_random_seed"
    TORCH = "torch_manual_seed"
    CUDA = "torch_cuda_manual_seed"
    STEP = "step"

    @property
    def component(self) -> str:
        """What it restores, such as `rng.numpy`."""
        return self.value if self is RandomKey.STEP else f"rng.{self.name.lower()}"


GENERATORS = (RandomKey.PYTHON, RandomKey.NUMPY, RandomKey.TORCH)
"""The generators that every checkpoint holds."""
STREAMS = tuple(key.component for key in GENERATORS)
"""Their components."""


def is_of_device(key: str) -> bool:
    """Whether a key holds the generators of some kind of device."""
    return key.startswith(("torch_", "xm_")) and key != RandomKey.TORCH
