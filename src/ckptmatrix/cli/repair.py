"""`ckptmatrix repair`: a copy of a checkpoint that loads everywhere."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec

from ckptmatrix.checkpoint.repair import RepairOptions, Report, repair
from ckptmatrix.checkpoint.repair.limits import Limit
from ckptmatrix.checkpoint.repair.weight_files import WantedWeights, tied_pairs
from ckptmatrix.util.terminal_text import clean_lines, clean_value

EPILOG = """\b
Examples:
  ckptmatrix repair name-000030-state name-000030-repaired
  ckptmatrix repair ckpt fixed --step 360 --weights bin
  ckptmatrix repair ckpt fixed --tied lm_head.weight=model.embed_tokens.weight
  uvx ckptmatrix repair ckpt fixed          (no torch, no numpy needed)

\b
Exit codes:
  0  DST is there, every component equal to SRC's
  2  wrong use: DST exists, SRC is no accelerate checkpoint, an option does not fit
  3  SRC can't be repaired: damaged, or something is missing that can't be made up; or a file
     of its state names what runs code, or was not read to its end
"""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
@click.argument("destination", metavar="DST", type=click.Path(path_type=Path))
@click.option(
    "--weights",
    type=click.Choice([wanted.value for wanted in WantedWeights]),
    default="auto",
    show_default=True,
    help="Format of the weights. auto: both, but bin alone where weights share memory (tied).",
)
@click.option("--step", type=click.IntRange(min=0), help="Value of accelerator.step.")
@click.option(
    "--scheduler-step",
    type=click.IntRange(min=0),
    help="Make a missing scheduler.bin: the steps that the scheduler had made.",
)
@click.option(
    "--tied",
    multiple=True,
    metavar="NAME=NAME",
    help="A weight that safetensors left out because it is another one. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    source: Path,
    destination: Path,
    weights: str,
    step: int | None,
    scheduler_step: int | None,
    tied: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write DST, a copy of the checkpoint SRC that every accelerate from 0.15.0 on can load.

    Random states are freed of numpy and given `step` (--step, else as in the file, else 0), the
    weights are put into the formats that each release looks for. SRC is only
    read, nothing in it is run, and DST appears whole and verified, or not at all. What some
    readers still won't restore is said.
    """
    formats, pairs = WantedWeights(weights), tied_pairs(tied)
    options = RepairOptions(formats, step, scheduler_step, pairs)
    report = repair(source, destination, options)
    if as_json:
        value = clean_value(msgspec.to_builtins(report))
        click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())
    else:
        click.echo(clean_lines(_text(report)))


def _text(report: Report) -> str:
    lines = [f"{report.destination}: repaired from {report.source}", "", "Changed"]
    for change in report.changes:
        lines += [f"  {change.file}: {change.what}", f"      because {change.why}"]
    if not report.changes:
        lines.append("  nothing: it needs no repair")
    lines += ["", f"step: {report.step}", f"carried over as they are: {len(report.carried)} files"]
    lines += [f"verified equal: all {len(report.verified)} files"]
    always = [limit for limit in report.limits if not limit.script]
    sometimes = [limit for limit in report.limits if limit.script]
    lines += ["", "What it still cannot do", *_limits(always)]
    lines += ["", "What it still cannot do for some scripts", *_limits(sometimes)]
    return "\n".join(lines)


def _limits(limits: Iterable[Limit]) -> Iterator[str]:
    for item in limits:
        yield f"  {item.whom}: {item.what}"
        yield f"      because {item.why}"
        yield f"      remedy: {item.remedy}"
