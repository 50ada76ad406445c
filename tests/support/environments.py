"""Real environments for tests, shared with the grid's own."""

from functools import cache
from pathlib import Path

from ckptmatrix.environments import building
from ckptmatrix.environments.site import Site
from ckptmatrix.model import Environment
from ckptmatrix.plan.config import read_config
from tests.support.places import ROOT


@cache
def python_of(accelerate: str, stack: str) -> Path:
    """Interpreter of an environment, built if need be."""
    environment = Environment(accelerate, stack)
    config = read_config(ROOT / "matrix.toml")
    built = building.build(environment, Site.of(config))
    assert built.ready, built.record.reason
    return built.python
