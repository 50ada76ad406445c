"""`ckptmatrix write`: every checkpoint of a plan as one file, for the machines that load them."""

import json
from pathlib import Path
from typing import Any

import click

from ckptmatrix.cli.options import device_option, jobs_option, select, selection_options
from ckptmatrix.environments.device import find_machine
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import UsageError
from ckptmatrix.knowledge.expectations import Expectations
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.packing import pack
from ckptmatrix.measure.pipeline import prepare


@click.command(name="write")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@selection_options
@device_option
@jobs_option
@click.option("--json", "as_json", is_flag=True, help="Print what was packed as JSON.")
def command(path: Path, device: str, jobs: int, as_json: bool, **options: Any) -> None:
    """Install the releases, write every checkpoint, and pack them into FILE (a ZIP).

    A machine with FILE runs its shard without the writers' environments:
    `ckptmatrix run --shard I/N --checkpoints FILE`, with the same options and device as here.

    \b
    Examples:
      ckptmatrix write checkpoints.zip
      ckptmatrix write checkpoints.zip --tier smoke --device cpu

    \b
    Exit codes:
      0  packed
      2  wrong use or configuration
      3  nothing could be written
    """
    machine = find_machine(device)
    selected = select(devices=machine.devices, **options)
    site = Site.of(selected.config, machine.gpus)
    built = prepare(Job(site, selected, Expectations(()), jobs=jobs))
    try:
        manifest = pack(path, selected, site, built)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}", "name another file"
        ) from None
    missing = [one.environment.id for one in built.values() if not one.ready]
    packed, size = len(manifest.checkpoints), path.stat().st_size
    if as_json:
        counts = {"checkpoints": packed, "bytes": size, "unavailable": missing}
        click.echo(json.dumps({"file": str(path), **counts}))
        return
    click.echo(f"{path}: {packed} checkpoints in {size:,} bytes")
    if missing:
        click.echo(f"no environment, so no checkpoint: {', '.join(missing)}")
