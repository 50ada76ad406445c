"""Failures of the model's weights."""
# ruff: noqa: D103 (a case's name says what it does)

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from small_runs import Net, Run, saved


def weights_other_format(path: str) -> None:
    folder = Path(saved(path))
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    Run().load(path)


def weights_missing(path: str) -> None:
    folder = Path(saved(path))
    for name in ("pytorch_model.bin", "model.safetensors"):
        (folder / name).unlink(missing_ok=True)
    Run().load(path)


def safetensors_truncated(path: str) -> None:
    file = Path(saved(path)) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:40])
    Run().load(path)


def safetensors_empty(path: str) -> None:
    (Path(saved(path)) / "model.safetensors").write_bytes(b"")
    Run().load(path)


def safetensors_cut(path: str) -> None:
    file = Path(saved(path)) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    Run().load(path)


def safetensors_dtype(path: str) -> None:
    file = Path(saved(path)) / "model.safetensors"
    file.write_bytes(file.read_bytes().replace(b'"F32"', b'"F99"'))
    Run().load(path)


def safetensors_unpickled(path: str) -> None:
    from accelerate import load_checkpoint_in_model
    from safetensors.torch import save_file

    file = f"{path}.safetensors"
    save_file(Net().state_dict(), file)
    load_checkpoint_in_model(Net(), file)


def safetensors_zip(path: str) -> None:
    torch.save(Net().state_dict(), Path(saved(path)) / "model.safetensors")
    Run().load(path)


def tied(path: str) -> None:
    Run(Net(tied=True)).load(saved(path, model=Net(tied=True)))


class _Views(torch.nn.Module):
    """Two buffers of no size, which safetensors takes for one storage."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(4, 4))
        self.register_buffer("one", torch.empty(0))
        self.register_buffer("other", torch.empty(0))

    def forward(self, inputs: Any) -> Any:
        return inputs @ self.weight


def views(path: str) -> None:
    Run(_Views()).load(saved(path, model=_Views()))


class _Part(Net):
    """A buffer that is the second half of a table."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.ones(8)[4:])


def part_of_storage(path: str) -> None:
    Run(_Part()).load(saved(path, model=_Part()))


def assign(path: str) -> None:
    Run().load(saved(path), assign=True)


class _Extra(Net):
    def get_extra_state(self) -> dict[str, Any]:
        return {"count": 3}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        pass


def extra_state(path: str) -> None:
    saved(path, model=_Extra())


def compiled(path: str) -> None:
    Run().load(saved(path, model=torch.compile(Net(), backend="eager")))


def decompiled(path: str) -> None:
    Run(torch.compile(Net(), backend="eager")).load(saved(path))


def other_width(path: str) -> None:
    Run(Net(8)).load(saved(path))


def other_names(path: str) -> None:
    Run(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))).load(saved(path))


def no_folder(path: str) -> None:
    Run().load(path + "/nothing-here")


def load_kwargs(path: str) -> None:
    Run().load(saved(path), load_kwargs={"weights_only": False})


class _Positions(Net):
    """A network with the buffer that transformers 4.31 stopped saving."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("position_ids", torch.arange(4))


def position_ids_saved(path: str) -> None:
    Run().load(saved(path, model=_Positions()))


def position_ids_missing(path: str) -> None:
    Run(_Positions()).load(saved(path))


def parallel_prefix(path: str) -> None:
    Run().load(saved(path, model=torch.nn.ModuleDict({"module": Net()})["module"]))
    prefixed = {f"module.{name}": value for name, value in Net().state_dict().items()}
    Net().load_state_dict(prefixed)


def shared_saved(path: str) -> None:
    from safetensors.torch import save_file

    save_file(Net(tied=True).state_dict(), f"{path}.safetensors")


def resume_of_nothing(path: str) -> None:
    _resume().load_state(Run().accelerator, f"{path}/nothing-here")


def resume_not_whole(path: str) -> None:
    (Path(saved(path)) / "random_states_0.pkl").unlink()
    _resume().load_state(Run().accelerator, path)


class Secret:
    """A class that is on no allow list."""


def resume_unsafe(path: str) -> None:
    torch.save({"secret": Secret()}, f"{path}.bin")
    _resume().read(f"{path}.bin")


def resume_damaged(path: str) -> None:
    file = Path(saved(path)) / "optimizer.bin"
    file.write_bytes(file.read_bytes()[:-100])
    _resume().read(file)


def _resume() -> Any:
    """The shared loader as a script has it that copied the one file."""
    sys.path.append(str(Path(__file__).parents[2] / "src/ckptmatrix"))
    import resume  # type: ignore[import-not-found]  # by the path above

    return resume
