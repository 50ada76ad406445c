"""`python -m ckptmatrix.maintenance.soak`: whether a run comes through whatever is killed of it."""

import json
import random
import secrets
import sys
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console

from ckptmatrix.cli import main
from ckptmatrix.maintenance.soaking import Soak, Tally
from ckptmatrix.util.home import Home

_RUN = (
    *("--tier", "smoke", "--stack", "torch2.13-np1", "--accelerate", "0.33.0,1.15.0"),
    *("--scenario", "basic,kohya-lora", "--remedies", "--device", "cpu"),
)
"""A small grid with everything in it that can be killed."""


@click.command(name="soak")
@click.option("--minutes", type=float, default=10.0, show_default=True, help="How long to kill.")
@click.option("--kills", type=click.IntRange(1), help="How often to kill; then it is over as well.")
@click.option("--seed", type=int, help="Of chance, as an earlier soak printed it.")
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
@click.argument("arguments", nargs=-1)
def command(
    minutes: float, kills: int | None, seed: int | None, as_json: bool, arguments: tuple[str, ...]
) -> None:
    """Kill a run, its workers, their children, or all at once, at random moments, and go on.

    Now and then the machine fails it besides: the disk is full, the home is read-only, the index is
    gone, a file of an environment or of a checkpoint is damaged.

    Each grid that is finished in spite of it is compared with that of a run that nothing was done
    to, cell by cell; no process of a killed run may live on, and nothing half-made may be left
    after the next. ARGUMENTS are those of `ckptmatrix run`; by default a small grid of two
    releases. It has a home of its own beside the project's.

    \b
    Examples:
      python -m ckptmatrix.maintenance.soak --minutes 30
      python -m ckptmatrix.maintenance.soak --kills 20 --seed 7
      python -m ckptmatrix.maintenance.soak -- --tier smoke

    \b
    Exit codes:
      0  no difference, no orphan, no leftover, and every run came to its end
      1  there was one
      2  wrong use or configuration
      3  undisturbed, the run does not come to its end
    """
    seed = secrets.randbelow(2**31) if seed is None else seed
    console = Console(stderr=True)
    console.print(f"soak: seed {seed}")
    begun = time.monotonic()

    def over(tally: Tally) -> bool:
        enough = kills is not None and tally.kills.total() >= kills
        return enough or time.monotonic() - begun > 60 * minutes

    def say(said: str) -> None:
        console.print(f"{time.monotonic() - begun:6.1f} s  {said}", highlight=False)

    place = Home.of(Path.cwd()).root / "soak"
    run = (sys.executable, "-m", "ckptmatrix", "run", *(arguments or _RUN))
    soak = Soak(place, run, random.Random(seed), over, say)
    expected = soak.undisturbed()
    say(f"undisturbed: {len(expected)} cells")
    while not over(soak.tally):
        soak.grid(expected)
    _say(soak.tally, seed, time.monotonic() - begun, as_json)
    sys.exit(0 if soak.tally.clean else 1)


def _say(tally: Tally, seed: int, seconds: float, as_json: bool) -> None:
    if as_json:
        told = asdict(replace(tally, kills=Counter(), faults=Counter()))  # it cannot copy these
        told |= {"kills": dict(tally.kills), "faults": dict(tally.faults)}
        click.echo(json.dumps({"seed": seed, "seconds": round(seconds), **told}))
        return
    killed = ", ".join(f"{what} {count}" for what, count in tally.kills.most_common())
    click.echo(f"{tally.kills.total()} kills ({killed}) in {seconds:.0f} s, seed {seed}")
    done = ", ".join(f"{what} {count}" for what, count in tally.faults.most_common())
    click.echo(f"machine: {tally.faults.total()} faults ({done}), {tally.refused} runs refused")
    click.echo(f"{tally.grids} grids finished, {tally.starts} starts")
    for name in ("differences", "orphans", "leftovers", "endings"):
        found = getattr(tally, name)
        click.echo(f"{name}: {len(found)}")
        for one in found[:20]:
            click.echo(f"  {one}")


if __name__ == "__main__":
    main(command)
