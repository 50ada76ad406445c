"""The key of an outcome: a digest of everything that it depends on.

The checkpoint counts by its content: a load of the very same bytes by the same reader is measured
once, whichever releases wrote them, repaired or not.
"""

from functools import cache

from ckptmatrix.environments.bundle import core_digest, source_digest
from ckptmatrix.measure.registry import Registry
from ckptmatrix.model import Cell
from ckptmatrix.util.home import digest


class Keys:
    """Keys of cells; a part that many cells share is worked out once.

    Args:
        registry: environments and checkpoints that cells depend on.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._source = cache(lambda source: source_digest(source, registry.site.config.root))
        self._digest = cache(self._digested)

    def of(self, cell: Cell) -> str:
        """The key of a cell whose checkpoint is there."""
        content = self._registry.treated(cell).content
        reader = self._registry.installed(cell.reader)
        return self._digest(content, reader.frozen, reader.hardware, cell.scenario, cell.loader)

    def _digested(
        self, content: str, reader: str, hardware: str, scenario: str, loader: str
    ) -> str:
        site = self._registry.site
        return digest(
            content,
            reader,
            hardware,
            core_digest(),
            self._source(site.config.scenarios[scenario]),
            self._source(site.config.loaders[loader]),
        )
