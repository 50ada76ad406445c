"""Order of the axis, and eras cut where what is written changes."""

from dataclasses import replace

from ckptmatrix.model import Device
from ckptmatrix.results.findings.axis import axis_of
from ckptmatrix.results.findings.stacks import Factor, differing, stack_versions
from tests.support import synthetic


def test_stacks_on_a_gpu_stand_behind_those_on_the_cpu_and_are_chosen_last() -> None:
    matrix = synthetic.matrix(["0.33.0", "1.15.0"])
    added = {
        f"{id_}+cuda": replace(record, stack=f"{record.stack}+cuda", device=Device.CUDA)
        for id_, record in matrix.environments.items()
    }
    axis = axis_of(replace(matrix, environments=added | matrix.environments))
    plain = axis_of(matrix).stacks
    assert axis.stacks == (*plain, *(f"{name}+cuda" for name in plain))
    assert axis.newest[: len(plain)] == tuple(reversed(plain))
    versions = stack_versions(replace(matrix, environments=added | matrix.environments))
    assert differing(versions, plain[0], f"{plain[0]}+cuda") == (Factor.DEVICE,)


def test_releases_stand_by_version_and_stacks_by_torch_then_numpy() -> None:
    matrix = synthetic.matrix(["1.1.1", "0.9.0", "0.33.0", "0.10.0"])
    shuffled = replace(matrix, environments=dict(sorted(matrix.environments.items(), reverse=True)))
    axis = axis_of(shuffled)
    assert axis.releases == ("0.9.0", "0.10.0", "0.33.0", "1.1.1")
    assert axis.stacks == ("torch2.4-np1", "torch2.15-np1", "torch2.15-np2")
    assert axis.environments[0] == "accelerate-0.9.0+torch2.4-np1"
    assert axis.environments[-1] == "accelerate-1.1.1+torch2.15-np2"


def test_an_era_ends_where_files_or_keys_change() -> None:
    axis = axis_of(synthetic.matrix())
    # On numpy 2 the key `step` is first seen in 0.34.2, as 0.32 and 0.33 cannot be had there; that
    # is no era of its own.
    assert [(era.first, era.last) for era in axis.eras] == [
        ("0.14.0", "0.14.0"),
        ("0.15.0", "0.24.1"),
        ("0.25.0", "0.31.0"),
        ("0.32.1", "1.4.0"),
        ("1.8.1", "1.15.0"),
    ]
    assert axis.era_of("0.31.0").added == ("model.safetensors",)
    assert axis.era_of("0.31.0").removed == ("pytorch_model.bin",)


def test_a_release_that_wrote_nothing_starts_no_era() -> None:
    matrix = synthetic.matrix(["0.25.0", "0.28.0", "0.31.0"])
    checkpoints = tuple(c for c in matrix.checkpoints if "0.28.0" not in c.writer)
    assert len(axis_of(replace(matrix, checkpoints=checkpoints)).eras) == 1
