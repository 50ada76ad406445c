"""Writers whose checkpoints came from another machine: nothing is installed for them here."""

from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.other_machine import find_record
from ckptmatrix.environments.site import Site
from ckptmatrix.measure.checkpoints import find_written
from ckptmatrix.model import Environment
from ckptmatrix.plan.planning import Plan


def writers_elsewhere(plan: Plan, site: Site) -> dict[Environment, Installation]:
    """The environments that need not be built here.

    They read nothing in this plan, are recorded, and all that they were to write lies here.
    """
    found = {}
    for writer in set(plan.environments) - set(plan.readers):
        built = find_record(writer, site)
        scenarios = [scenario for one, scenario in plan.checkpoints if one == writer]
        if built and all(
            not built.ready or find_written(site, built, scenario, faults=True)
            for scenario in scenarios
        ):
            found[writer] = built
    return found
