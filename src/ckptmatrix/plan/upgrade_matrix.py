"""The matrix of one upgrade: its environments as a `matrix.toml` of their own. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import tomlkit
from packaging.requirements import Requirement

from ckptmatrix.model import Environment, Stack
from ckptmatrix.plan.pinned import CORE, PinnedEnvironment, version_of
from ckptmatrix.plan.planning import Plan

TIER = "check"
"""Name of its only tier."""

Places = Mapping[Environment, Stack]
"""Environment -> its stack."""


def upgrade_matrix(places: Places, scenarios: Mapping[str, str], loaders: Mapping[str, str]) -> str:
    """Write the matrix of some environments, with remedies, as TOML.

    Args:
        places: the environments.
        scenarios: name -> `module:object` of those that are measured.
        loaders: name -> `module:function` of those that there are.
    """
    stacks = {stack.name: stack for stack in places.values()}
    return tomlkit.dumps(
        {
            "stacks": {
                name: {
                    "python": stack.python,
                    "packages": list(stack.packages),
                    "constraints": list(stack.constraints),
                }
                for name, stack in stacks.items()
            },
            "tiers": {
                TIER: {
                    "accelerate": list(dict.fromkeys(one.accelerate for one in places)),
                    "stacks": list(stacks),
                    "scenarios": list(scenarios),
                    "remedies": True,
                }
            },
            "scenarios": dict(scenarios),
            "loaders": dict(loaders),
        }
    )


def both_ways(plan: Plan, old: Environment, new: Environment) -> Plan:
    """Of a plan the upgrade, staying on either side, and the way back."""
    ends = (old, new)
    return plan.narrowed(
        tuple(cell for cell in plan.cells if cell.writer in ends and cell.reader in ends)
    )


def into(plan: Plan, old: Environment, readers: Places) -> Plan:
    """Of a plan the old checkpoints in some readers."""
    return plan.narrowed(
        tuple(cell for cell in plan.cells if cell.writer == old and cell.reader in readers)
    )


def fewer_changes(old: PinnedEnvironment, new: PinnedEnvironment) -> dict[Environment, Stack]:
    """The environments on the way that change fewer things than the upgrade.

    The release alone, the stack alone, and where the stack changes in several of torch, numpy and
    safetensors, everything but one of these.
    """
    found: dict[Environment, Stack] = {}
    if old.stack != new.stack:
        for stack in (old.stack, *_keeping_one(old.stack, new.stack)):
            found[Environment(new.environment.accelerate, stack.label)] = stack
        found[Environment(old.environment.accelerate, new.stack.label)] = new.stack
    return {one: found[one] for one in found if one not in (old.environment, new.environment)}


def _keeping_one(old: Stack, new: Stack) -> Iterator[Stack]:
    before, after = _core(old), _core(new)
    changed = [name for name in CORE if before.get(name) != after.get(name)]
    if len(changed) < 2:
        return
    for name in changed:
        if name in before:
            packages = {**after, name: before[name]}
            kept = f"{name}{version_of(Requirement(before[name]))}"
            others = [one for one in new.packages if Requirement(one).name not in CORE]
            yield replace(new, name=f"{new.name}-{kept}", packages=(*packages.values(), *others))


def _core(stack: Stack) -> dict[str, str]:
    """Package of `CORE` -> its requirement."""
    return {one.name: str(one) for one in map(Requirement, stack.packages) if one.name in CORE}
