"""`ckptmatrix run`: the main job."""

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ckptmatrix.cli.options import (
    device_option,
    jobs_option,
    select,
    selection_options,
    shard_option,
)
from ckptmatrix.cli.run_end import say_conclusion, update_expectations
from ckptmatrix.environments.device import find_device
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import UsageError
from ckptmatrix.knowledge.expectations import read_expectations
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.pipeline import measured
from ckptmatrix.measure.remaining import remaining
from ckptmatrix.measure.shard_record import shard_record
from ckptmatrix.measure.unpacking import unpack
from ckptmatrix.plan.estimate import in_words
from ckptmatrix.plan.shards import Shard, sharded
from ckptmatrix.results.run_report import RunReport
from ckptmatrix.results.which_matrix import baseline_of


@click.command(name="run")
@selection_options
@shard_option
@click.option(
    "--checkpoints",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Load what `ckptmatrix write` packed, instead of writing it here.",
)
@device_option
@click.option("--fresh", is_flag=True, help="Measure again what is known from earlier runs.")
@click.option(
    "--update-expectations",
    "rewrite",
    is_flag=True,
    help="Rewrite expectations.toml from this run: drop what no longer holds, add what has a "
    "known cause. A run of less than the tier leaves the rest as it is.",
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Where the report goes.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A matrix.json to compare with; the committed sample by default.",
)
@jobs_option
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def command(
    shard: Shard | None,
    checkpoints: Path | None,
    device: str,
    fresh: bool,
    rewrite: bool,
    reports: Path,
    baseline: Path | None,
    jobs: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Install the releases, write and load every checkpoint, judge, and report.

    \b
    Examples:
      ckptmatrix run                                    the default tier
      ckptmatrix run --tier smoke                       minutes
      ckptmatrix run --accelerate 0.33.0,1.15.0         two releases on every stack
      ckptmatrix run -k "saved-0.33.0 and loaded-1.15.0"
      ckptmatrix run --shard 3/8 --checkpoints ckpt.zip the third of eight machines

    \b
    Exit codes:
      0  every outcome is as expected
      1  some are not, or an expectation no longer holds
      2  wrong use or configuration
      3  a control failed, or nothing could be run
    """
    if shard and rewrite:
        raise UsageError(
            "--update-expectations would drop what other shards show",
            "give it to `ckptmatrix merge`",
        )
    whole = select(**options)
    site = Site.of(whole.config, find_device(device))
    if checkpoints:
        unpack(checkpoints, whole, site)
    root = site.config.root
    report = RunReport(reports, root / "expectations.toml", baseline or baseline_of(root))
    expected = read_expectations(report.expectations)
    record = shard_record(whole, shard) if shard else None
    job = Job(site, sharded(whole, shard), expected, fresh, jobs, record)
    say = Console(stderr=True).print
    say(_intention(job))
    with measured(job) as found:
        conclusion = None if rewrite else report.standing(found)
        if conclusion:
            since = f"nothing has changed since {conclusion.finished}: its report stands"
            say(since, soft_wrap=True)
        else:
            conclusion, matrix = report.make(found)
    say_conclusion(conclusion, as_json)
    if rewrite:
        tier = "" if job.narrowed else job.selected.selection.tier
        update_expectations(report.expectations, matrix, tier)
    sys.exit(conclusion.exit_code)


def _intention(job: Job) -> str:
    plan, shard = job.plan, job.shard
    part = f", shard {shard.name}" if shard else ""
    estimate = in_words(remaining(plan, job.site, job.fresh).seconds(job.jobs))
    return (
        f"ckptmatrix: tier {job.selected.selection.describe()}{part} on {job.site.device}: "
        f"{len(plan.readers)} readers, {len(plan.checkpoints)} checkpoints, "
        f"{len(plan.cells)} cells; about {estimate}"
    )
