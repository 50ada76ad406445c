"""What a worker is told of the host's variables."""

from pathlib import Path

import pytest

from ckptmatrix.environments.variables import of_gpus, variables
from ckptmatrix.model import Device

OF_GPUS = {
    "CUDA_VISIBLE_DEVICES": "1",
    "NVIDIA_DRIVER_CAPABILITIES": "compute",
    "NCCL_P2P_DISABLE": "1",
    "RCCL_MSCCL_ENABLE": "0",
    "HSA_OVERRIDE_GFX_VERSION": "10.3.0",
    "ROCR_VISIBLE_DEVICES": "0",
    "HIP_VISIBLE_DEVICES": "0",
    "ROCM_PATH": "/opt/rocm",
    "GPU_DEVICE_ORDINAL": "0",
}
HOST = {**OF_GPUS, "PATH": "/bin", "LD_LIBRARY_PATH": "/lib", "PYTHONPATH": "/mine", "SEED": "7"}


def test_what_a_machine_with_gpus_needs_reaches_the_worker_and_is_named() -> None:
    found = variables(HOST, Path("/bundle"), Device.CUDA)
    assert {name: found[name] for name in OF_GPUS} == OF_GPUS
    assert of_gpus(HOST, Device.CUDA) == tuple(sorted(OF_GPUS))


def test_nothing_else_of_the_hosts_colours_a_cell() -> None:
    found = variables(HOST, Path("/bundle"), Device.CUDA)
    assert found["PYTHONPATH"] == "/bundle"
    assert "SEED" not in found
    assert found["PATH"] == "/bin"


@pytest.mark.parametrize("host", [HOST, {}])
def test_on_the_cpu_no_gpu_is_visible(host: dict[str, str]) -> None:
    found = variables(host, Path("/bundle"), Device.CPU)
    assert found["CUDA_VISIBLE_DEVICES"] == ""
    assert not (set(OF_GPUS) - {"CUDA_VISIBLE_DEVICES"}) & set(found)
    assert of_gpus(host, Device.CPU) == ()
