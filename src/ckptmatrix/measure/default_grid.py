"""The grid for a project that has no `tests/matrix` of its own."""

from ckptmatrix.plugin import Grid

grid = Grid()
