"""`ckptmatrix run`: the main job."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ckptmatrix.cli.options import select, selection_options, shard_option
from ckptmatrix.environments.device import find_device
from ckptmatrix.errors import UsageError
from ckptmatrix.knowledge.expectations import read_expectations
from ckptmatrix.knowledge.expectations.update import update
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.pipeline import baseline_of, measured
from ckptmatrix.measure.remaining import work_of
from ckptmatrix.measure.shard_record import shard_record
from ckptmatrix.measure.unpacking import unpack
from ckptmatrix.model import Matrix
from ckptmatrix.plan.estimate import in_words
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.shards import Shard, sharded
from ckptmatrix.results.assemble import inputs_digest, judged_matrix
from ckptmatrix.results.conclusion import Conclusion, concluded
from ckptmatrix.results.findings.diff import on_common_ground
from ckptmatrix.results.report import read_matrix, write_reports
from ckptmatrix.results.report_cache import Standing
from ckptmatrix.util.home import Home


@click.command(name="run")
@selection_options
@shard_option
@click.option(
    "--checkpoints",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Load what `ckptmatrix write` packed, instead of writing it here.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where writers train and readers resume; auto takes a GPU where there is one.",
)
@click.option("--fresh", is_flag=True, help="Measure again what is known from earlier runs.")
@click.option(
    "--update-expectations",
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
@click.option("-n", "--jobs", type=click.IntRange(1), help="Processes at a time; all cores.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def command(
    shard: Shard | None,
    checkpoints: Path | None,
    device: str,
    fresh: bool,
    update_expectations: bool,
    reports: Path,
    baseline: Path | None,
    jobs: int | None,
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
    if shard and update_expectations:
        raise UsageError(
            "--update-expectations would drop what other shards show",
            "give it to `ckptmatrix merge`",
        )
    whole = select(**options)
    selected = sharded(whole, shard)
    console = Console(stderr=True)
    found_device = find_device(device)
    home = Home.of(whole.config.root)
    if checkpoints:
        unpack(checkpoints, whole, home, found_device)
    path = selected.config.root / "expectations.toml"
    expectations = read_expectations(path)
    work = work_of(selected, found_device, fresh)
    console.print(_intention(selected, shard, found_device, in_words(work.seconds(jobs))))
    job = Job(
        selected.config,
        selected.selection,
        selected.plan,
        expectations,
        found_device,
        fresh,
        selected.expression,
        selected.narrowed or shard is not None,
        jobs or os.cpu_count() or 1,
        shard_record(whole, shard) if shard else None,
    )
    compared = baseline or baseline_of(selected.config.root)
    standing = Standing(home, reports, (path, compared) if compared else (path,))
    with measured(job) as found:
        known = inputs_digest(found)
        conclusion = None if update_expectations else standing.recall(known)
        if conclusion:
            said = f"nothing has changed since {conclusion.finished}: its report stands"
            console.print(said, soft_wrap=True)
            conclusion = replace(conclusion, measured=0)
        else:
            matrix = judged_matrix(found)
            conclusion = conclude(matrix, reports, compared)
            standing.keep(known, conclusion)
    tell(conclusion, as_json)
    if update_expectations:
        update_expectations_file(path, matrix, "" if job.narrowed else job.selection.tier)
    sys.exit(conclusion.exit_code)


def conclude(matrix: Matrix, reports: Path, baseline: Path | None) -> Conclusion:
    """Write the report of a run.

    Raises:
        UsageError: the directory cannot be written to.
    """
    before = on_common_ground(read_matrix(baseline), matrix) if baseline else None
    try:
        files = write_reports(matrix, reports, before)
    except OSError as error:
        raise UsageError(
            f"{reports} cannot be written to: {error.strerror}",
            "name another directory; what was measured is kept",
        ) from error
    return concluded(matrix, next(file for file in files if file.suffix == ".html"))


def tell(conclusion: Conclusion, as_json: bool) -> None:
    """Say what came out: the counts, what is wrong, and where the report is."""
    if as_json:
        click.echo(json.dumps({**conclusion.counts, "report": conclusion.report}))
        return
    console = Console()
    for line in conclusion.wrong:
        console.print(line, markup=False, soft_wrap=True)
    counts = dict(conclusion.counts)
    total, wrong = counts.pop("cells"), counts.pop("unexpected")
    listed = ", ".join(f"{count} {status}" for status, count in counts.items())
    console.print(
        f"{total} cells: {listed}; {wrong} unexpected; "
        f"{conclusion.measured} measured in this run; controls {conclusion.controls}",
        soft_wrap=True,
    )
    console.print(f"report: {conclusion.report}", soft_wrap=True)


def update_expectations_file(path: Path, matrix: Matrix, whole_tier: str) -> None:
    """Rewrite `expectations.toml` from a run and say what became of it."""
    done = update(path, matrix, whole_tier)
    said = f"{path.name}: {done.kept} kept, {done.added} added, {done.dropped} dropped"
    if done.unexplained:
        said += (
            f"; {done.unexplained} cells have no known cause and stay unexpected: "
            "write an expectation with a reason for them"
        )
    Console(stderr=True).print(said, soft_wrap=True)


def _intention(selected: Selected, shard: Shard | None, device: str, estimate: str) -> str:
    plan = selected.plan
    part = f", shard {shard.number}/{shard.of}" if shard else ""
    return (
        f"ckptmatrix: tier {selected.selection.describe()}{part} on {device}: "
        f"{len(plan.readers)} readers, {len(plan.checkpoints)} checkpoints, "
        f"{len(plan.cells)} cells; about {estimate}"
    )
