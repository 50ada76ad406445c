"""`ckptmatrix run`: the main job: install, write, load, judge, report."""

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
from ckptmatrix.environments.device import find_machine
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import UsageError
from ckptmatrix.knowledge.expectations import expectations_file, read_expectations
from ckptmatrix.measure.by_stack import measured_by_stack
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
@click.option(
    "--give-up",
    is_flag=True,
    help="For a small disk: install one stack at a time, and give it up, downloads included, when "
    "nothing is left to do in it. Each is downloaded twice.",
)
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
    help="A matrix.json.gz to compare with; the committed sample by default.",
)
@jobs_option
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def command(
    shard: Shard | None,
    checkpoints: Path | None,
    device: str,
    give_up: bool,
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
      3  a control, a scenario's script or ckptmatrix itself failed, or nothing could be run
    """
    if shard and rewrite:
        raise UsageError(
            "--update-expectations would drop what other shards show",
            "give it to `ckptmatrix merge`",
        )
    if shard and give_up:
        raise UsageError("--give-up is for a whole run", "leave it out of a shard's")
    machine = find_machine(device)
    whole = select(devices=machine.devices, **options)
    site = Site.of(whole.config, machine.gpus)
    if checkpoints:
        unpack(checkpoints, whole, site)
    root = site.config.root
    judged_by = expectations_file(root, whole.selection.tier)
    report = RunReport(reports, judged_by, baseline or baseline_of(root))
    expected = read_expectations(report.expectations)
    record = shard_record(whole, shard) if shard else None
    job = Job(site, sharded(whole, shard), expected, fresh, jobs, record)
    say = Console(stderr=True).print
    say(_intention(job))
    with (measured_by_stack if give_up else measured)(job) as found:
        conclusion = None if rewrite else report.standing(found)
        if conclusion:
            since = f"nothing has changed since {conclusion.finished}: its report stands"
            say(since, soft_wrap=True)
        else:
            conclusion, matrix = report.make(found)
    say_conclusion(conclusion, as_json)
    if rewrite:
        tier = job.selected.selection.tier
        update_expectations(report.expectations, matrix, tier, not job.narrowed)
    sys.exit(conclusion.exit_code)


def _intention(job: Job) -> str:
    plan, shard = job.plan, job.shard
    part = f", shard {shard.name}" if shard else ""
    estimate = in_words(remaining(plan, job.site, job.fresh).seconds(job.jobs))
    devices = " and ".join(plan.devices)
    return (
        f"ckptmatrix: tier {job.selected.selection.describe()}{part} on {devices}: "
        f"{len(plan.readers)} readers, {len(plan.checkpoints)} checkpoints, "
        f"{len(plan.cells)} cells; about {estimate}"
    )
