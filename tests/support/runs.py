"""Runs of a few cells, for tests of what is made of a whole matrix."""

from ckptmatrix.model import (
    CellRecord,
    ControlsResult,
    Device,
    Environment,
    EnvironmentRecord,
    EnvironmentStatus,
    Matrix,
    RunRecord,
)

RELEASES = ("0.24.1", "0.31.0", "0.33.0", "1.0.1", "1.15.0")
STACKS = ("torch2.4-np1", "torch2.15-np1", "torch2.15-np2")
ENVIRONMENTS = {
    environment.id: environment
    for stack in STACKS
    for release in RELEASES
    for environment in [Environment(release, stack)]
}
RECORDS = {
    id_: EnvironmentRecord(one.accelerate, one.stack, EnvironmentStatus.READY)
    for id_, one in ENVIRONMENTS.items()
}


def run_of(*cells: CellRecord) -> Matrix:
    """A run of these cells, in which every environment above could be built."""
    run = RunRecord("0", "", "", Device.CPU, "", "eras", ControlsResult.PASSED)
    return Matrix(run, RECORDS, (), cells)
