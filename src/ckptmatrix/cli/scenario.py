"""`ckptmatrix scenario check`: one writer and one reader of a scenario that is being written."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from rich.console import Console

from ckptmatrix.cli.options import device_option
from ckptmatrix.cli.project import any_config_option
from ckptmatrix.environments.device import find_machine
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import UsageError
from ckptmatrix.measure.scenario_check import (
    ScenarioCheck,
    check_scenario,
    chosen_environment,
    declared_as,
)
from ckptmatrix.model import CheckpointStatus, Status, summary
from ckptmatrix.plan.shipped_matrix import any_config
from ckptmatrix.util.did_you_mean import did_you_mean
from ckptmatrix.worker.measured import Step

_SHOWN = 110


@click.group(name="scenario")
def command() -> None:
    """Help with writing a scenario of your own (docs/own-scenario.md)."""


@command.command(name="check")
@click.argument("scenario", metavar="SCENARIO")
@any_config_option
@click.option("--accelerate", metavar="RELEASE", help="Release; the newest installed or declared.")
@click.option("--stack", metavar="NAME", help="Stack; by default one that is installed.")
@click.option("--loader", default="accelerate", show_default=True, help="What loads it.")
@device_option
@click.option("--json", "as_json", is_flag=True, help="Print what was seen as JSON.")
def check(
    scenario: str,
    config: Path | None,
    accelerate: str | None,
    stack: str | None,
    loader: str,
    device: str,
    as_json: bool,
) -> None:
    """Run one writer and one reader of SCENARIO and show what each step saw.

    SCENARIO is a name in matrix.toml, or module:object: a class, or a function that yields at its
    saves. The module is imported from the folder of matrix.toml (the working folder without one).

    \b
    Examples:
      ckptmatrix scenario check my_training:train
      ckptmatrix scenario check my-training --accelerate 0.33.0 --stack torch2.15-np1
      ckptmatrix scenario check my-training --loader mine --json

    \b
    Exit codes:
      0  it comes back exactly in the environment that saved it
      1  it does not, or this release cannot save it: an outcome, as in a run
      2  wrong use or configuration
      3  the script raised, or nothing could be run
    """
    declared, name = declared_as(any_config(config), scenario)
    if loader not in declared.loaders:
        raise UsageError(
            f"there is no loader '{loader}'",
            f"{did_you_mean(loader, declared.loaders)}take {', '.join(declared.loaders)}",
        )
    machine = find_machine(device)
    site = Site.of(declared, machine.gpus)
    environment = chosen_environment(site, stack, accelerate, machine.devices[-1])
    found = check_scenario(site, name, loader, environment)
    if as_json:
        click.echo(json.dumps(_as_json(found), indent=2))
    else:
        console = Console(highlight=False)
        for line in lines(found):
            console.print(line, markup=False, soft_wrap=True)
    sys.exit(exit_code(found))


def exit_code(found: ScenarioCheck) -> int:
    """0 exact, 1 any other outcome, 3 a fault."""
    if found.fault:
        return 3
    return 0 if found.loaded and found.loaded.status is Status.EXACT else 1


def lines(found: ScenarioCheck) -> Iterator[str]:
    """What each step saw, for a console."""
    yield f"{found.source} in {found.environment.id}"
    if found.written:
        yield from _writer(found)
    if found.loaded:
        yield from _reader(found)
    if found.fault:
        yield ""
        if found.fault.file.startswith("ckptmatrix/"):  # no line of the script is to blame
            yield f"{found.fault.type.rpartition('.')[2]}: {found.fault.message}"
            return
        yield f"the script raised in {found.fault.sentence}"
        yield found.fault.traceback
        if found.fault.log:
            yield f"log: {found.fault.log}"


def _writer(found: ScenarioCheck) -> Iterator[str]:
    assert found.written is not None
    record = found.written.record
    yield ""
    if record.status != CheckpointStatus.WRITTEN:
        yield f"writer: {record.status}: {record.reason}"
        return
    yield f"writer: saved into {record.directory}/"
    width = max(map(len, record.files), default=0)
    for path, size in record.files.items():
        yield f"  {path:{width}}  {size:>9,} bytes"
    if found.components:
        yield "components found:"
        for name, how in found.components.items():
            yield f"  {name:12} {how}"
    yield f"steps after the save: {len(found.written.trace)}"
    yield from (f"  {number}  {_step(step)}" for number, step in enumerate(found.written.trace, 1))


def _step(step: Step) -> str:
    """The quantities that a person can follow; of the generators there is nothing to read."""
    shown = {name: value for name, value in step.items() if not name.startswith("rng.")}
    told = "  ".join(f"{name} {_readable(value)}" for name, value in shown.items())
    return told if len(told) <= _SHOWN else told[: _SHOWN - 3] + "..."


def _readable(value: object) -> str:
    if isinstance(value, list):
        return "[" + " ".join(map(_readable, value)) + "]"
    if isinstance(value, str) and value.lstrip("-").startswith("0x"):
        return f"{float.fromhex(value):.6g}"
    return str(value)


def _reader(found: ScenarioCheck) -> Iterator[str]:
    record = found.loaded
    assert record is not None
    yield ""
    yield f"reader: loaded by {record.loader}: {record.status}: {summary(record)}"
    for name in found.components:
        gap = record.differences.get(name)
        told = f"{gap.where} was {gap.saved}, is {gap.found}".strip() if gap else ""
        yield f"  {name:12} {record.components[name]:10} {told}".rstrip()
    if record.error and record.error.traceback:
        yield record.error.traceback
    if record.resume:
        first = record.resume.first_difference
        yield f"steps after the load: {record.resume.steps}, " + (
            f"as without a break: {'yes' if record.resume.exact else 'no'}"
        )
        if first:
            yield f"  step {first.step}: {first.quantity} was {first.expected}, is {first.found}"
    if found.unnoticed:
        yield (
            "not told apart: the same before the load as after it, so that a loss would not be "
            f"noticed: {', '.join(found.unnoticed)}"
        )


def _as_json(found: ScenarioCheck) -> dict[str, object]:
    written, loaded = found.written, found.loaded
    return {
        "scenario": found.source,
        "environment": found.environment.id,
        "checkpoint": msgspec.to_builtins(written.record) if written else None,
        "components": found.components,
        "steps_after_save": list(written.trace) if written else [],
        "outcome": msgspec.to_builtins(loaded) if loaded else None,
        "not_told_apart": list(found.unnoticed),
        "fault": msgspec.to_builtins(found.fault) if found.fault else None,
    }
