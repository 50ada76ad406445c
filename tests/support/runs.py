"""Runs of a few cells, for tests of what is made of a whole matrix."""

from ckptmatrix.model import CellRecord, Environment, EnvironmentRecord, Matrix, RunRecord

RELEASES = ("0.24.1", "0.31.0", "0.33.0", "1.0.1", "1.15.0")
STACKS = ("torch2.4-np1", "torch2.13-np1", "torch2.13-np2")
ENVIRONMENTS = {
    environment.id: environment
    for stack in STACKS
    for release in RELEASES
    for environment in [Environment(release, stack)]
}
RECORDS = {
    id_: EnvironmentRecord(one.accelerate, one.stack, "ready") for id_, one in ENVIRONMENTS.items()
}


def run_of(*cells: CellRecord) -> Matrix:
    """A run of these cells, in which every environment above could be built."""
    run = RunRecord("0", "", "", "cpu", "", "eras", "passed")
    return Matrix(run, RECORDS, (), cells)
