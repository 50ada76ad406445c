"""On a GPU: writers train on it, its generators come back. Skipped elsewhere, with the reason."""

import pytest

from ckptmatrix.environments.device import why_no_gpu
from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Device, Status, Verdict
from ckptmatrix.plan.config import Config
from tests.support.places import NEWEST

WHY_NOT = why_no_gpu()

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]


@pytest.mark.parametrize("scenario", ["basic", "fp16-scaler", "gpu-written"])
def test_a_checkpoint_written_on_a_gpu_comes_back_on_it(project: Config, scenario: str) -> None:
    """Each time: from the second load on a reader prepares for many."""
    cell = Cell(NEWEST, NEWEST, scenario)
    with Lab(Site.of(project, Device.CUDA)) as lab:
        records = [lab.measured(cell) for _ in range(3)]
        assert lab.registry.installed(NEWEST).device_name
    for record in records:
        assert record.status == Status.EXACT, record
        assert record.components["rng.cuda"] == Verdict.RESTORED


def test_parameters_that_share_memory_do_so_on_a_gpu(project: Config) -> None:
    with Lab(Site.of(project, Device.CUDA)) as lab:
        record = lab.registry.written(NEWEST, "shared-views").record
    assert record.status == "written", record.reason
