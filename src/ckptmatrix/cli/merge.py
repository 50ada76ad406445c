"""`ckptmatrix merge`: the shards of a run put together."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from ckptmatrix.cli.options import config_option
from ckptmatrix.cli.run_end import say_conclusion, update_expectations
from ckptmatrix.errors import UsageError
from ckptmatrix.knowledge.expectations import (
    expectations_file,
    judged_by_expectations,
    read_expectations,
)
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.results.merge_shards import merge
from ckptmatrix.results.run_report import RunReport
from ckptmatrix.results.which_matrix import baseline_of


@click.command(name="merge")
@click.argument(
    "paths", metavar="SHARD...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Where the report goes.",
)
@config_option
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A matrix.json.gz to compare with; the committed sample by default.",
)
@click.option(
    "--update-expectations",
    "rewrite",
    is_flag=True,
    help="Rewrite expectations.toml from the merged run, as `ckptmatrix run` does.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def command(
    paths: tuple[Path, ...],
    output: Path,
    config: Path,
    baseline: Path | None,
    rewrite: bool,
    as_json: bool,
) -> None:
    """Put the SHARDs of a run together and report, as if it had run on one machine.

    Each SHARD is a matrix.json.gz that `ckptmatrix run --shard I/N` wrote, or its directory. Shards
    that leave a hole, overlap, or are of different plans are refused.

    \b
    Examples:
      ckptmatrix merge shards/*
      ckptmatrix merge shard-1 shard-2 -o reports

    \b
    Exit codes:
      0  every outcome is as expected
      1  some are not, or an expectation no longer holds
      2  the shards do not make one run; or wrong use
      3  a control failed, or nothing could be run
    """
    twice = [path for path in paths if paths.count(path) > 1]
    if twice:
        raise UsageError(f"{twice[0]} is given twice", "give each shard once")
    found = {str(path): read_matrix(path) for path in paths}
    shard = next(iter(found.values())).run.shard
    root = config.parent
    tier = shard.tier if shard else ""
    report = RunReport(output, expectations_file(root, tier), baseline or baseline_of(root))
    expectations = read_expectations(report.expectations)
    merged = judged_by_expectations(merge(found), expectations, tier, datetime.now(UTC).date())
    conclusion = report.write(merged)
    say_conclusion(conclusion, as_json)
    if rewrite:
        update_expectations(report.expectations, merged, tier, bool(tier))
    sys.exit(conclusion.exit_code)
