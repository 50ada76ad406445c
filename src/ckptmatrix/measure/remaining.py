"""What is left to do of a plan, given what an earlier run left behind."""

from collections.abc import Collection, Iterable, Mapping

from ckptmatrix.environments import building
from ckptmatrix.environments.gpu_turns import places_on
from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.site import Site
from ckptmatrix.measure import checkpoints
from ckptmatrix.measure.elsewhere import writers_elsewhere
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Device, Environment
from ckptmatrix.plan.estimate import DISTINCT, GPU_SECONDS, Work
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
            bool(plan.remedies),
            lab.store.typical_seconds(),
            *_on_gpu(plan, site, built, missing, unmeasured, absent),
        )


def _on_gpu(
    plan: Plan,
    site: Site,
    built: Mapping[Environment, Installation],
    missing: Iterable[tuple[Environment, str]],
    unmeasured: Iterable[Cell],
    absent: Collection[tuple[Environment, str]],
) -> tuple[int, float, int]:
    """Processes that are to work on a GPU, seconds that each needs to wake it, and their places."""
    if site.gpus is None:
        return 0, GPU_SECONDS, 1

    def wakes(environment: Environment) -> bool:
        return site.device(environment) is not Device.CPU

    todo = sum(
        wakes(cell.reader)
        for cell in plan.cells
        if cell.reader not in built or (cell.writer, cell.scenario) in absent
    )
    processes = sum(wakes(writer) for writer, _ in missing)
    processes += sum(wakes(cell.reader) for cell in unmeasured) + round(todo * DISTINCT)
    known = [one for one in built.values() if one.process_seconds]
    seconds = max((one.process_seconds for one in known), default=GPU_SECONDS)
    bytes_ = max((one.process_bytes for one in known), default=0)
    return processes, seconds, sum(places_on(site.gpus, bytes_))
