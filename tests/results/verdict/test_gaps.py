"""What lies between neighbouring versions: facts of the run, and known borders."""

from dataclasses import replace

import pytest

from ckptmatrix.model import Status
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.verdict.gaps import PACKAGES, scale_of
from ckptmatrix.results.verdict.versions import Gap, place
from tests.results.verdict import sample
from tests.support import synthetic

MATRIX = synthetic.matrix()
INDEX = LoadIndex(MATRIX)


def gap(index: LoadIndex, package: str, older: str) -> Gap:
    scale = scale_of(index, package)
    return scale.gap(scale.versions.index(older))


def test_releases_are_alike_only_if_every_load_is_the_same_with_either() -> None:
    assert gap(INDEX, "accelerate", "1.8.1") == Gap("")
    assert gap(INDEX, "accelerate", "1.4.0") == Gap("write differently")
    one = next(c for c in MATRIX.cells if "1.14.0" in c.reader and c.status is Status.EXACT)
    cells = tuple(replace(c, status=Status.FAILED) if c is one else c for c in MATRIX.cells)
    assert gap(LoadIndex(replace(MATRIX, cells=cells)), "accelerate", "1.8.1") == Gap(
        "load differently"
    )


def test_a_remedy_that_was_not_measured_with_one_of_them_says_nothing() -> None:
    cells = tuple(
        c for c in MATRIX.cells if not ("1.14.0" in c.reader and c.loader == "ckptmatrix")
    )
    assert gap(LoadIndex(replace(MATRIX, cells=cells)), "accelerate", "1.8.1") == Gap("")


def test_stacks_that_differ_in_one_package_tell_its_versions_apart() -> None:
    assert gap(INDEX, "torch", "2.4.1") == Gap("load differently", ("2.5", "2.6"))
    assert gap(INDEX, "numpy", "1.26.4").borders == ("2.0",)
    # Without the stack in between no two differ in one of them alone.
    cells = tuple(c for c in MATRIX.cells if "torch2.15-np1" not in c.writer + c.reader)
    records = {i: r for i, r in MATRIX.environments.items() if r.stack != "torch2.15-np1"}
    apart = LoadIndex(replace(MATRIX, cells=cells, environments=records))
    assert gap(apart, "torch", "2.4.1").how == "were not compared with nothing else changed"


@pytest.mark.xdist_group("sample")
def test_what_stands_for_what_in_the_sample() -> None:
    index = sample.index()
    scales = {package: scale_of(index, package) for package in PACKAGES}
    newest = {package: scale.versions[-1] for package, scale in scales.items()}
    said = f"not measured; nearest {newest['torch']}, the same side of the border at 2.6"
    assert place(scales["torch"], "2.6").said == said
    assert place(scales["torch"], "2.4").version == "2.4.1"
    assert place(scales["numpy"], "1").version == "1.26.4"
    assert place(scales["numpy"], "2").version == newest["numpy"]
    assert place(scales["accelerate"], "1.5").said == (
        "not measured: between 1.4.0 and 1.8.1, which write differently"
    )
    assert place(scales["accelerate"], "1.10").said == (
        "not measured; nearest 1.8.1, which behaves as 1.14.0 does"
    )
