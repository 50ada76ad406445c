"""Workers that are kept alive while they may be asked again."""

from collections import OrderedDict
from collections.abc import Callable

from ckptmatrix.environments.worker_process import Worker
from ckptmatrix.model import Environment

_OPEN = 2
"""Workers kept alive at a time: the reader whose cells are measured now, and a writer."""


class WorkerPool:
    """A worker in each environment that is asked for.

    Args:
        start: starts one.
    """

    def __init__(self, start: Callable[[Environment], Worker]) -> None:
        self._start = start
        self._workers: OrderedDict[Environment, Worker] = OrderedDict()

    def worker(self, environment: Environment) -> Worker:
        """A worker in this environment; the one unused longest is ended for it."""
        if environment not in self._workers:
            while len(self._workers) >= _OPEN:
                self._workers.popitem(last=False)[1].close()
            self._workers[environment] = self._start(environment)
        self._workers.move_to_end(environment)
        return self._workers[environment]

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
