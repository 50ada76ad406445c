"""Which scenarios a question is measured over, where they are not all named. Pure."""

from collections.abc import Mapping

from ckptmatrix.checkpoint.inspect.inspection import Inspection
from ckptmatrix.errors import UsageError
from ckptmatrix.measure.directory.belonging import COMMON, belonging
from ckptmatrix.plan.config import Config
from ckptmatrix.util.did_you_mean import did_you_mean

_SHIPPED = "ckptmatrix."


def chosen_scenarios(
    config: Config, named: tuple[str, ...], found: Inspection | None
) -> dict[str, str]:
    """Choose scenarios.

    Args:
        config: what there are.
        named: those that were asked for by name.
        found: what was seen in a checkpoint of one's own, if there is one.

    Returns:
        Scenario -> why it is measured, in a few words; empty for what was named. In this order:
        those that are named; the shipped ones that belong to the checkpoint; the project's own;
        what most trainings do.

    Raises:
        UsageError: there is no scenario of that name.
    """
    for name in named:
        if name not in config.scenarios:
            raise UsageError(
                f"there is no scenario {name!r}",
                f"{did_you_mean(name, config.scenarios)}there are {', '.join(config.scenarios)}",
            )
    if named:
        return dict.fromkeys(named, "")
    if found is not None:
        return belonging(found, frozenset(config.scenarios))
    own = [name for name in config.scenarios if is_own(config.scenarios, name)]
    return dict.fromkeys(own, "your own") or dict.fromkeys(COMMON, "a common training")


def is_own(scenarios: Mapping[str, str], name: str) -> bool:
    """Whether a scenario does not ship with ckptmatrix, so that it may import what it likes."""
    return not scenarios[name].startswith(_SHIPPED)
