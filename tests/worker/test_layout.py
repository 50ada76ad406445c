"""Which component a file is of, by its name."""

import pytest

from ckptmatrix.worker.layout import component_of, custom_file, is_weights_of_first, rank_of
from ckptmatrix.worker.words import Part
from tests.support.places import NEWEST_BASIC


@pytest.mark.parametrize(
    ("file", "component"),
    [
        ("model.safetensors", Part.MODEL),
        ("model_1.safetensors", Part.MODEL),
        ("pytorch_model.bin", Part.MODEL),
        ("pytorch_model-00001-of-00002.bin", Part.MODEL),
        ("model.safetensors.index.json", Part.MODEL),
        ("optimizer.bin", Part.OPTIMIZER),
        ("optimizer_12.bin", Part.OPTIMIZER),
        ("scheduler_1.bin", Part.SCHEDULER),
        ("sampler.bin", Part.DATALOADER),
        ("dl_state_dict_1.bin", Part.DATALOADER),
        ("scaler.pt", Part.SCALER),
        ("custom_checkpoint_0.pkl", Part.CUSTOM),
        ("train_state.json", ""),
        ("unet/model.safetensors", ""),
        ("optimizer.bin.index.json", ""),
        ("optimizer-00001-of-00002.bin", ""),
        ("custom_checkpoint.pkl", ""),
        ("modelxsafetensors", ""),
        ("random_states_0.pkl", ""),
    ],
)
def test_a_file_belongs_to_a_component(file: str, component: str) -> None:
    assert component_of(file) == component


def test_random_states_are_of_one_process() -> None:
    assert [rank_of(f"random_states_{rank}.pkl") for rank in (0, 1, 12)] == [0, 1, 12]
    assert [rank_of(file) for file in ("random_states.pkl", "x/random_states_0.pkl")] == [None] * 2


def test_the_weights_of_the_first_model_are_told_from_the_others() -> None:
    first = ("pytorch_model.bin", "model.safetensors", "model-00002-of-00002.safetensors")
    others = ("model_1.safetensors", "model.safetensors.index.json", "unet/model.safetensors")
    assert all(map(is_weights_of_first, first))
    assert not any(map(is_weights_of_first, others))


def test_every_file_of_a_real_checkpoint_is_known() -> None:
    files = [path.name for path in NEWEST_BASIC.iterdir()]
    assert custom_file(0) in files
    assert [file for file in files if rank_of(file) is None and not component_of(file)] == []
