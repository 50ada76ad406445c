"""Take `basic.json.gz` from reports/sample."""

from dataclasses import replace
from pathlib import Path

from ckptmatrix.results.assemble import with_causes
from ckptmatrix.results.matrix_file import compact
from ckptmatrix.results.matrix_file.reading import read_matrix

HERE = Path(__file__).parent

if __name__ == "__main__":
    sample = read_matrix(HERE.parents[2] / "reports" / "sample")
    basic = replace(
        sample,
        checkpoints=tuple(c for c in sample.checkpoints if c.scenario == "basic"),
        cells=tuple(
            c
            for c in sample.cells
            if (c.scenario, c.loader, c.treatment) == ("basic", "accelerate", "as-saved")
        ),
        controls=tuple(c for c in sample.controls if c.scenario == "basic"),
    )
    (HERE / "basic.json.gz").write_bytes(compact.encode(with_causes(basic)))
