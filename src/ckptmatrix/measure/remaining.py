"""What is left to do of a plan, given what an earlier run left behind."""

from ckptmatrix.environments import building
from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.site import Site
from ckptmatrix.measure import checkpoints
from ckptmatrix.measure.elsewhere import writers_elsewhere
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Environment
from ckptmatrix.plan.estimate import Work
from ckptmatrix.plan.planning import Plan


def remaining(plan: Plan, site: Site, fresh: bool = False) -> Work:
    """Count it by looking at what lies in the project's home; builds and measures nothing."""
    built: dict[Environment, Installation] = writers_elsewhere(plan, site)
    for environment in set(plan.environments) - set(built):
        found = building.find_installation(environment, site)
        if found:
            built[environment] = found
    missing = [
        (writer, scenario)
        for writer, scenario in plan.checkpoints
        if writer not in built
        or (built[writer].ready and not checkpoints.find_written(site, built[writer], scenario))
    ]
    with Lab(site, built, plan.remedies) as lab:
        absent = set(missing)
        settled = [
            cell
            for cell in plan.cells
            if cell.reader in built and (cell.writer, cell.scenario) not in absent
        ]
        todo = len(plan.cells) - len(settled)
        unmeasured = settled if fresh else lab.unmeasured(settled)
        readers = {cell.reader for cell in unmeasured} | set(plan.readers) - set(built)
        return Work(
            len(plan.environments) - len(built),
            len({writer for writer, _ in missing}),
            len(missing),
            len(readers) if todo or unmeasured else 0,
            todo,
            len(unmeasured),
            plan.remedies,
            lab.store.typical_seconds(),
        )
