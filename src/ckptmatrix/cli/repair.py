"""`ckptmatrix repair`: a copy of a checkpoint that loads everywhere."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec

from ckptmatrix.checkpoint.repair import Options, Report, repair
from ckptmatrix.checkpoint.repair.limit import Foretold
from ckptmatrix.checkpoint.repair.weight_files import tied_pairs

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
  3  SRC can't be repaired: damaged, or something is missing that can't be made up
"""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
@click.argument("destination", metavar="DST", type=click.Path(path_type=Path))
@click.option(
    "--weights",
    type=click.Choice(["auto", "both", "safetensors", "bin"]),
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

    Random states are freed of numpy and given `step` (from the file, else from train_state.json
    or --step), the weights are put into the formats that each release looks for. SRC is only
    read, nothing in it is run, and DST appears whole and verified, or not at all. What can't be
    mended for some readers is foretold.
    """
    pairs = tied_pairs(tied)
    report = repair(source, destination, Options(weights, step, scheduler_step, pairs))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        click.echo(_text(report))


def _text(report: Report) -> str:
    lines = [f"{report.destination}: repaired from {report.source}", "", "Changed"]
    for change in report.changes:
        lines += [f"  {change.file}: {change.what}", f"      because {change.why}"]
    if not report.changes:
        lines.append("  nothing: it needs no repair")
    lines += ["", f"step: {report.step}", f"carried over as they are: {len(report.carried)} files"]
    lines += [f"verified equal: all {len(report.verified)} files"]
    lines += ["", "Foretold", *_foretold(told for told in report.foretold if not told.script)]
    lines += ["", "Foretold for some scripts", *_foretold(t for t in report.foretold if t.script)]
    return "\n".join(lines)


def _foretold(items: Iterable[Foretold]) -> Iterator[str]:
    for item in items:
        yield f"  {item.whom}: {item.what}"
        yield f"      because {item.why}"
        yield f"      remedy: {item.remedy}"
