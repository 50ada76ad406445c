"""Environments and checkpoints of a site, each made when it is first asked for."""

from collections.abc import Mapping

from ckptmatrix.environments import building
from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.site import Site
from ckptmatrix.environments.worker_process import Worker
from ckptmatrix.measure import checkpoints
from ckptmatrix.measure.checkpoints import Written
from ckptmatrix.measure.treatments import treated
from ckptmatrix.measure.worker_pool import WorkerPool
from ckptmatrix.model import Cell, Environment, Treatment


class Registry:
    """What cells need; several registries in several processes may share one home.

    Args:
        site: where it lies.
        installed: environments that are known to be there.
        prepared: everything was written just before, so what failed is not tried again.
    """

    def __init__(
        self, site: Site, installed: Mapping[Environment, Installation], prepared: bool = False
    ) -> None:
        self.site = site
        self._prepared = prepared
        self._installed = dict(installed)
        self._written: dict[tuple[Environment, str], Written] = {}
        self._treated: dict[tuple[Environment, str, Treatment], Written] = {}
        self._pool = WorkerPool(self._started)

    def installed(self, environment: Environment) -> Installation:
        """The environment, built if need be."""
        if environment not in self._installed:
            self._installed[environment] = building.build(environment, self.site)
        return self._installed[environment]

    def written(self, environment: Environment, scenario: str) -> Written:
        """The checkpoint, written if need be."""
        place = (environment, scenario)
        if place not in self._written:
            installed = self.installed(environment)
            self._written[place] = checkpoints.find_written(
                self.site, installed, scenario, faults=self._prepared
            ) or checkpoints.written_now(
                self.site, installed, scenario, lambda: self.worker(environment)
            )
        return self._written[place]

    def treated(self, cell: Cell) -> Written:
        """The checkpoint that a cell loads, treated if need be."""
        place = (cell.writer, cell.scenario, cell.treatment)
        if place not in self._treated:
            written = self.written(cell.writer, cell.scenario)
            self._treated[place] = treated(written, cell.treatment, self.site.home)
        return self._treated[place]

    def worker(self, environment: Environment) -> Worker:
        """A worker in this environment, started if need be."""
        return self._pool.worker(environment)

    def _started(self, environment: Environment) -> Worker:
        return building.whole(self.installed(environment), self.site).start(self.site)

    def close(self) -> None:
        """End the workers."""
        self._pool.close()
