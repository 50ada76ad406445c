"""Real environments for tests, shared with the grid's own."""

from functools import cache
from pathlib import Path

from ckptmatrix import environments
from ckptmatrix.config import read_config
from ckptmatrix.home import Home
from ckptmatrix.model import Environment

ROOT = Path(__file__).parents[2]


@cache
def python_of(accelerate: str, stack: str) -> Path:
    """Interpreter of an environment, built if need be."""
    environment = Environment(accelerate, stack)
    config = read_config(ROOT / "matrix.toml")
    built = environments.build(environment, config.stacks[stack], Home.of(ROOT), "cpu")
    assert built.ready, built.record.reason
    return built.python
