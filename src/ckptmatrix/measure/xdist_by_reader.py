"""How xdist deals the cells out: those of one reader go to one process, so that it starts once."""

from xdist.scheduler import LoadGroupScheduling


class ByReader(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """`--dist loadgroup` in which a cell's group is its reader.

    It goes by the cell's name. The `xdist_group` mark would do the same, were it not without effect
    in xdist 3.8 under pytest 9.2, which does not look at the `_nodeid` that xdist extends.
    """

    def _split_scope(self, nodeid: str) -> str:
        reader = nodeid.partition("/loaded-")[2].partition("/")[0]
        return reader or str(super()._split_scope(nodeid))
