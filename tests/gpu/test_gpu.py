"""On a GPU: writers train on it, its generators come back. Skipped elsewhere, with the reason."""

import pytest

from ckptmatrix.environments.device import find_device
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Status, Verdict
from ckptmatrix.plan.config import Config
from ckptmatrix.util.home import Home
from tests.support.places import NEWEST, ROOT

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(find_device("auto") != "cuda", reason="nvidia-smi lists no GPU here"),
]


@pytest.mark.parametrize("scenario", ["basic", "fp16-scaler", "gpu-written"])
def test_a_checkpoint_written_on_a_gpu_comes_back_on_it(project: Config, scenario: str) -> None:
    with Lab(project, Home.of(ROOT), "cuda") as lab:
        record = lab.measured(Cell(NEWEST, NEWEST, scenario))
        assert lab.built(NEWEST).device_name
    assert record.status == Status.EXACT, record
    assert record.components["rng.cuda"] == Verdict.RESTORED
