"""The file names that accelerate gives, in every release (constants of `utils/constants.py`)."""

import re

MODEL_SAFETENSORS = re.compile(r"model(?:_(\d+))?\.safetensors")
MODEL_BIN = re.compile(r"pytorch_model(?:_(\d+))?\.bin")
OPTIMIZER = re.compile(r"optimizer(?:_(\d+))?\.bin")
SCHEDULER = re.compile(r"scheduler(?:_(\d+))?\.bin")
SAMPLER = re.compile(r"(?:sampler|dl_state_dict)(?:_(\d+))?\.bin")
RANDOM = re.compile(r"random_states_(\d+)\.pkl")
CUSTOM = re.compile(r"custom_checkpoint_(\d+)\.pkl")
SCALER = "scaler.pt"

PICKLED = re.compile(r".*\.(?:bin|pt|pth|pkl|ckpt)|\.metadata")
"""What may hold a pickle."""
WEIGHTS = re.compile(r".*\.safetensors")
DOCUMENT = re.compile(r".*\.json")

_MARKS = (MODEL_SAFETENSORS, MODEL_BIN, OPTIMIZER, SCHEDULER, RANDOM, CUSTOM)


def index_in(pattern: re.Pattern[str], name: str) -> int | None:
    """The number in a file name, 0 where accelerate leaves it out; None if it does not match."""
    match = pattern.fullmatch(name)
    if match is None:
        return None
    return int(match[1]) if match[1] and len(match[1]) < 10 else 0


def is_mark(name: str) -> bool:
    """Whether a file of this name makes its directory a checkpoint."""
    return any(pattern.fullmatch(name) for pattern in _MARKS) or name in (
        "trainer_state.json",
        "train_state.json",
        "zero_to_fp32.py",
        ".metadata",
    )
