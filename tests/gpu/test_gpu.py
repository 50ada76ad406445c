"""On a GPU: writers train on it, its generators come back. Skipped elsewhere, with the reason."""

import pytest

from ckptmatrix.environments.device import find_device
from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Device, Status, Verdict
from ckptmatrix.plan.config import Config
from tests.support.places import NEWEST

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(find_device("auto") != "cuda", reason="nvidia-smi lists no GPU here"),
]


@pytest.mark.parametrize("scenario", ["basic", "fp16-scaler", "gpu-written"])
def test_a_checkpoint_written_on_a_gpu_comes_back_on_it(project: Config, scenario: str) -> None:
    with Lab(Site.of(project, Device.CUDA)) as lab:
        record = lab.measured(Cell(NEWEST, NEWEST, scenario))
        assert lab.registry.installed(NEWEST).device_name
    assert record.status == Status.EXACT, record
    assert record.components["rng.cuda"] == Verdict.RESTORED
