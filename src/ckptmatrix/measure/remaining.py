"""What is left to do of a plan, given what an earlier run left behind."""

from ckptmatrix.environments import building
from ckptmatrix.environments.installation import Built
from ckptmatrix.measure import checkpoints
from ckptmatrix.measure.elsewhere import writers_elsewhere
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Environment
from ckptmatrix.plan.estimate import Work
from ckptmatrix.plan.selected import Selected
from ckptmatrix.util.home import Home


def work_of(selected: Selected, device: str, fresh: bool = False) -> Work:
    """Count it by looking at what lies in the project's home; builds and measures nothing."""
    config, plan = selected.config, selected.plan
    home = Home.of(config.root)
    built: dict[Environment, Built] = writers_elsewhere(plan, config, home, device)
    for environment in set(plan.environments) - set(built):
        stack = plan.stacks[environment.stack]
        found = building.find_built(environment, stack, home, device)
        if found:
            built[environment] = found
    missing = [
        (writer, scenario)
        for writer, scenario in plan.checkpoints
        if writer not in built
        or (
            built[writer].ready
            and not checkpoints.find_written(config, home, built[writer], scenario, device)
        )
    ]
    with Lab(config, home, device, built, plan.remedies) as lab:
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
