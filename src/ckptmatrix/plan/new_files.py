"""The files that `ckptmatrix init` writes into a project. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment as Templates
from jinja2 import PackageLoader, StrictUndefined

from ckptmatrix.model import Stack
from ckptmatrix.plan.own_model import OwnModel

MODULE = "checkpoint_grid"
"""The module with the scenario and the loader."""
SHAPE = (8,)
"""Of one input, where the model does not tell."""


@dataclass(frozen=True)
class NewFile:
    """A file to write."""

    path: str
    """Below the project."""
    text: str
    """What it holds."""
    alone: bool = True
    """Whether nothing works unless it is this one; else it can be added to what is there."""


def new_files(
    stacks: Sequence[Stack], releases: tuple[str, ...], model: OwnModel | None
) -> tuple[NewFile, ...]:
    """Every file, in the order in which a person reads them.

    Args:
        stacks: what is declared beside accelerate; the last one is that of the first tier.
        releases: of accelerate.
        model: what the scenario imports; None for a model of the scenario's own.
    """
    templates = Templates(
        loader=PackageLoader("ckptmatrix.plan", "new_project"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    values = {
        "stacks": stacks,
        "releases": releases,
        "module": MODULE,
        "model": model,
        "shape": (model.shape if model else ()) or SHAPE,
        "tokens": model.tokens if model else 0,
    }

    def made(path: str, template: str, alone: bool = True) -> NewFile:
        return NewFile(path, templates.get_template(template).render(values), alone)

    return (
        made("matrix.toml", "matrix.toml.j2"),
        made(f"{MODULE}.py", "grid.py.j2"),
        made("noxfile.py", "noxfile.py.j2", alone=False),
        made(".github/workflows/checkpoints.yml", "checkpoints.yml.j2", alone=False),
    )
