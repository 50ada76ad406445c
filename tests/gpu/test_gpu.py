"""On a GPU: writers train on it, its generators come back. Skipped elsewhere, with the reason."""

import pytest

from ckptmatrix.environments.device import find_gpus
from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Environment, Gpus, Status, Verdict
from ckptmatrix.plan.config import Config
from tests.support.places import NEWEST

GPUS = find_gpus()
ON_GPU = Environment(NEWEST.accelerate, f"{NEWEST.stack}+cuda")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not isinstance(GPUS, Gpus), reason=f"no GPU: {GPUS}"),
]


@pytest.fixture
def site(project: Config) -> Site:
    assert isinstance(GPUS, Gpus)
    return Site.of(project, GPUS)


@pytest.mark.parametrize("scenario", ["basic", "fp16-scaler", "gpu-written"])
def test_a_checkpoint_written_on_a_gpu_comes_back_on_it(site: Site, scenario: str) -> None:
    """Each time: from the second load on a reader prepares for many."""
    cell = Cell(ON_GPU, ON_GPU, scenario)
    with Lab(site) as lab:
        records = [lab.measured(cell) for _ in range(3)]
        assert lab.registry.installed(ON_GPU).device_name
    for record in records:
        assert record.status == Status.EXACT, record
        assert record.components["rng.cuda"] == Verdict.RESTORED


@pytest.mark.parametrize(("writer", "reader"), [(ON_GPU, NEWEST), (NEWEST, ON_GPU)])
def test_a_checkpoint_comes_back_on_the_other_device(
    site: Site, writer: Environment, reader: Environment
) -> None:
    """What the GPU's generators do after it, nobody can have saved on the CPU."""
    with Lab(site) as lab:
        record = lab.measured(Cell(writer, reader, "basic"))
    assert record.status == Status.EXACT, record
    assert record.components["rng.cuda"] == Verdict.ABSENT


def test_parameters_that_share_memory_do_so_on_a_gpu(site: Site) -> None:
    with Lab(site) as lab:
        record = lab.registry.written(ON_GPU, "shared-views").record
    assert record.status == "written", record.reason


def test_what_a_process_takes_of_a_gpu_is_measured(site: Site) -> None:
    with Lab(site) as lab:
        built = lab.registry.installed(ON_GPU)
    assert built.process_bytes > 50 * 2**20
    assert built.process_seconds > 0
