"""Writers whose checkpoints came from another machine: nothing is installed for them here."""

from ckptmatrix.environments.installation import Built
from ckptmatrix.environments.other_machine import find_record
from ckptmatrix.measure.checkpoints import find_written
from ckptmatrix.model import Environment
from ckptmatrix.plan.config import Config
from ckptmatrix.plan.planning import Plan
from ckptmatrix.util.home import Home


def writers_elsewhere(
    plan: Plan, config: Config, home: Home, device: str
) -> dict[Environment, Built]:
    """The environments that need not be built here.

    They read nothing in this plan, are recorded, and all that they were to write lies here.
    """
    found = {}
    for writer in set(plan.environments) - set(plan.readers):
        built = find_record(writer, plan.stacks[writer.stack], home, device)
        scenarios = [scenario for one, scenario in plan.checkpoints if one == writer]
        if built and all(
            not built.ready or find_written(config, home, built, scenario, device)
            for scenario in scenarios
        ):
            found[writer] = built
    return found
