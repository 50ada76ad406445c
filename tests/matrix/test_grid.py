"""The grid: each cell of the declared matrix is a test.

pytest tests/matrix -k "0.33.0 and 1.15.0"           what these two make of each other
pytest tests/matrix -k "loaded-1.15.0" -n auto       one column, on all cores
pytest tests/matrix --matrix-tier eras --co -q       what there is
"""

from ckptmatrix.plugin import Grid

grid = Grid()
