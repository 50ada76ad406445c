"""`ckptmatrix check`: may this project go from these packages to those?"""

import sys
from pathlib import Path

import click
import msgspec

from ckptmatrix.checkpoint.inspect.inspection import inspect
from ckptmatrix.cli.options import device_option, jobs_option
from ckptmatrix.cli.project import any_config_option
from ckptmatrix.environments.device import find_machine
from ckptmatrix.environments.pin_sources import pins_from
from ckptmatrix.environments.resolving import resolved
from ckptmatrix.errors import UsageError
from ckptmatrix.plan.pinned import PinnedEnvironment, completed, pinned_environment, told_apart
from ckptmatrix.plan.selection import split_names
from ckptmatrix.plan.shipped_matrix import any_config
from ckptmatrix.results.check.checking import check
from ckptmatrix.results.check.choosing import chosen_scenarios, is_own
from ckptmatrix.results.check.question import Question
from ckptmatrix.results.check.told import as_json, markdown, text
from ckptmatrix.util.terminal_text import clean_lines, clean_value


@click.command()
@click.option("--from", "old", required=True, metavar="OLD", help="What is installed today.")
@click.option("--to", "new", required=True, metavar="NEW", help="What shall be installed.")
@click.option(
    "--checkpoint",
    "directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A checkpoint of yours, written with OLD; it is only read.",
)
@click.option(
    "--scenario",
    "named",
    multiple=True,
    metavar="A,B",
    help="Measure these, your own or shipped; repeatable.",
)
@click.option(
    "--require",
    type=click.Choice(["no-worse", "exact"]),
    default="no-worse",
    show_default=True,
    help="What is good enough: no worse than staying, or every load exact.",
)
@click.option(
    "--fewer/--no-fewer",
    default=True,
    help="Where something gets worse, measure changing fewer things too (the default).",
)
@click.option(
    "--python", metavar="3.X", help="Python to build with, where OLD and NEW do not say which."
)
@click.option(
    "--trust",
    is_flag=True,
    help="Load pickles of DIR that name what is not known to be harmless; it may be run.",
)
@any_config_option
@device_option
@click.option("--fresh", is_flag=True, help="Measure again what is known from earlier runs.")
@jobs_option
@click.option("--json", "json_wanted", is_flag=True, help="Answer as JSON.")
@click.option("--markdown", "in_markdown", is_flag=True, help="Answer as Markdown, for a comment.")
def command(
    old: str,
    new: str,
    directory: Path | None,
    named: tuple[str, ...],
    require: str,
    fewer: bool,
    python: str | None,
    trust: bool,
    config: Path | None,
    device: str,
    fresh: bool,
    jobs: int,
    json_wanted: bool,
    in_markdown: bool,
) -> None:
    """Say whether your checkpoints survive your upgrade: both sides are built and measured.

    OLD and NEW are each a requirements.txt, uv.lock, pylock.toml, the output of pip freeze (a file,
    or - for standard input), an interpreter or environment on this machine, or a text such as
    "accelerate==1.15.0 torch==2.15.0 numpy==2.4.6". As NEW, such a text may name only what changes.

    Without --scenario: the shipped scenarios that are like DIR, and DIR itself; without DIR those
    of your matrix.toml, or if it has none what most trainings do.

    \b
    Examples:
      ckptmatrix check --from .venv --to "accelerate==1.15.0"
      ckptmatrix check --from old/uv.lock --to uv.lock --checkpoint outputs/lora-000030-state
      pip freeze | ckptmatrix check --from - --to requirements.txt
      ckptmatrix check --from old.txt --to new.txt --scenario my-training --markdown > comment.md

    \b
    Exit codes:
      0  go: nothing gets worse (with --require exact: everything resumes exactly)
      1  go if something is done first, or don't: it breaks
      2  wrong use; OLD, NEW or DIR is not what it has to be
      3  an environment cannot be built, a control or script failed, or nothing could be measured
      4  not measured, or not all of the scenarios that were named
    """
    if old == new:
        raise UsageError(
            f"--from and --to are both {old}", "name what is installed, and what shall be"
        )
    if json_wanted and in_markdown:
        raise UsageError("--json and --markdown are two answers", "take one of them")
    declared = any_config(config)
    scenarios = chosen_scenarios(
        declared, split_names(named) or (), inspect(directory) if directory else None
    )
    machine = find_machine(device)
    everything = any(is_own(declared.scenarios, name) for name in scenarios)
    before, after = _environments(old, new, python, everything)
    asked = Question(
        before.on(machine.devices[-1]),
        after.on(machine.devices[-1]),
        declared,
        scenarios,
        machine,
        directory,
        trust,
        require == "exact",
        fewer,
        fresh,
        jobs,
    )
    checked = check(asked, lambda said: click.echo(clean_lines(said), err=True))
    if json_wanted:
        answer = msgspec.to_builtins(as_json(checked), enc_hook=str)
        click.echo(msgspec.json.format(msgspec.json.encode(clean_value(answer))).decode())
    else:
        told = markdown(checked) if in_markdown else text(checked)
        click.echo(clean_lines("\n".join(told)))
    sys.exit(checked.upgrade.headline.exit_code)


def _environments(
    old: str, new: str, python: str | None, everything: bool
) -> tuple[PinnedEnvironment, PinnedEnvironment]:
    """Read both sides and let uv choose what they leave open."""
    pins, wished = pins_from(old, python), pins_from(new, python)
    before = pinned_environment(pins, resolved(pins), everything)
    pins = completed(wished, before.pins)
    return told_apart(before, pinned_environment(pins, resolved(pins), everything))
