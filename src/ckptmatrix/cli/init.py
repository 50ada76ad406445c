"""`ckptmatrix init`: what a project needs to run the grid over its own training."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import click

from ckptmatrix.errors import UsageError
from ckptmatrix.plan.config import read_config
from ckptmatrix.plan.new_files import MODULE, NewFile, new_files
from ckptmatrix.plan.own_model import OwnModel, own_models
from ckptmatrix.plan.shipped_matrix import shipped_matrix
from ckptmatrix.util.files import write_atomically

_TIER = "smoke"
"""The shipped tier whose releases and stacks are taken over."""


@click.command(name="init")
@click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default=Path()
)
@click.option(
    "--model",
    metavar="MODULE:CLASS",
    help="The model to train; by default the first one in the sources that needs no arguments.",
)
@click.option(
    "--accelerate", metavar="A,B", help="Releases that meet; those of the shipped tier smoke."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(folder: Path, model: str | None, accelerate: str | None, as_json: bool) -> None:
    """Write what it takes to run the grid over your own training, into FOLDER.

    That is matrix.toml, checkpoint_grid.py with a scenario and a loader, a noxfile.py and a CI
    workflow. No file that is there is touched. Your sources are read, not run.

    \b
    Examples:
      ckptmatrix init
      ckptmatrix init --model my_package.model:Net --accelerate 0.33.0,1.15.0
      ckptmatrix scenario check training      then: does it save and resume at all?
      ckptmatrix run                          then: the grid

    \b
    Exit codes:
      0  written; where a noxfile.py or workflow was there, what to add to it is shown
      2  wrong use, or a matrix.toml is there already: nothing was written
    """
    shipped = read_config(shipped_matrix())
    tier = shipped.tier(_TIER)
    releases = tuple((accelerate.replace(" ", "").split(",")) if accelerate else tier.accelerate)
    found = _model(folder, model)
    files = new_files([shipped.stacks[name] for name in tier.stacks], releases, found)
    there = [one for one in files if (folder / one.path).exists()]
    if any(one.alone for one in there):
        names = ", ".join(one.path for one in there if one.alone)
        raise UsageError(
            f"{names} is there already, so nothing was written",
            "add a scenario to it (docs/own-scenario.md), or move it away and init again",
        )
    written = [one for one in files if one not in there]
    for one in written:
        (folder / one.path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / one.path, one.text.encode("utf-8"))
    if as_json:
        answer = {
            "written": [one.path for one in written],
            "kept": [one.path for one in there],
            "model": f"{found.module}:{found.name}" if found else None,
        }
        click.echo(json.dumps(answer))
        return
    for line in _told(found, written, there):
        click.echo(line)


def _model(folder: Path, named: str | None) -> OwnModel | None:
    """The model that is named, as far as it is found; else the first one that is."""
    paths = sorted(folder.rglob("*.py"))
    sources = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in paths
    }
    known = list(own_models(sources))
    if named is None:
        return known[0] if known else None
    if not re.fullmatch(r"[\w.]+:\w+", named):
        raise UsageError(f"{named!r} is not MODULE:CLASS", "such as my_package.model:Net")
    module, _, name = named.partition(":")
    found = [one for one in known if (one.module, one.name) == (module, name)]
    return found[0] if found else OwnModel(module, name)


def _told(
    model: OwnModel | None, written: Iterable[NewFile], there: Iterable[NewFile]
) -> Iterable[str]:
    yield from (f"wrote {one.path}" for one in written)
    if model is None:
        yield f"no model was found in the sources: {MODULE}.py has one of its own to be replaced"
    else:
        shape = "read from its first layer" if model.shape else "a guess: correct it"
        yield f"{MODULE}.py trains {model.module}:{model.name}; SHAPE in it is {shape}"
    for one in there:
        yield f"\n{one.path} is there and stays as it is; what to add to it:\n\n{one.text}"
    yield "next: ckptmatrix scenario check training, then ckptmatrix run"
