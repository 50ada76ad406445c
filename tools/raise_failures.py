"""Raise failures of saving and loading for real, and keep what a user would see of each.

    ENVIRONMENT/bin/python tools/raise_failures.py OUT CASE [CASE ...]

Runs inside an environment with torch and accelerate and needs nothing else but `small_runs.py`.
Each case is a function below; what it logs and the traceback it ends with go to
`OUT/CASE--VERSIONS.txt`, with the paths of the machine taken out. The examples in
`tests/checkpoint/explain/examples` were made so.
"""
# ruff: noqa: D103 (a case's name says what it does)

from __future__ import annotations

import io
import logging
import os
import re
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import __version__
from small_runs import Net, Run, rewritten, saved


def step_as_saved(path: str) -> None:
    Run().load(saved(path))


def step_not_in_file(path: str) -> None:
    Run().load(rewritten(saved(path), "random_states_0.pkl", lambda s: s.pop("step", None)))


def step_without_file(path: str) -> None:
    (Path(saved(path)) / "random_states_0.pkl").unlink()
    Run().load(path)


def random_other_numpy(path: str) -> None:
    """The names of the other numpy in the pickle, as that numpy would have written them."""
    file = Path(saved(path)) / "random_states_0.pkl"
    here, there = b"numpy._core.multiarray", b"numpy.core.multiarray"
    if here not in file.read_bytes():
        here, there = there, here
    _rename_in_zip(file, here, there)
    Run().load(path)


def _rename_in_zip(file: Path, old: bytes, new: bytes) -> None:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in records.items():
            archive.writestr(name, data.replace(old, new) if name.endswith("data.pkl") else data)


def random_damaged(path: str) -> None:
    (Path(saved(path)) / "random_states_0.pkl").write_bytes(b"")
    Run().load(path)


def random_loads(path: str) -> None:
    Run().load(saved(path))


def numpy_learning_rate(path: str) -> None:
    def change(state: dict[str, Any]) -> None:
        state["param_groups"][0]["lr"] = np.float64(0.01)

    Run().load(rewritten(saved(path), "optimizer.bin", change))


def custom_numpy(path: str) -> None:
    Run(custom=1).load(saved(path, custom=1))


def custom_new_numpy(path: str) -> None:
    file = Path(saved(path, custom=1)) / "custom_checkpoint_0.pkl"
    _rename_in_zip(file, b"numpy.core.multiarray", b"numpy._core.multiarray")
    Run(custom=1).load(path)


def weights_other_format(path: str) -> None:
    folder = Path(saved(path))
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    Run().load(path)


def weights_missing(path: str) -> None:
    folder = Path(saved(path))
    for name in ("pytorch_model.bin", "model.safetensors"):
        (folder / name).unlink(missing_ok=True)
    Run().load(path)


def scheduler_missing(path: str) -> None:
    (Path(saved(path)) / "scheduler.bin").unlink()
    Run().load(path)


def optimizer_missing(path: str) -> None:
    (Path(saved(path)) / "optimizer.bin").unlink()
    Run().load(path)


def scaler_missing(path: str) -> None:
    Run(scaler=True).load(saved(path))


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


def optimizer_truncated(path: str) -> None:
    file = Path(saved(path)) / "optimizer.bin"
    file.write_bytes(file.read_bytes()[:-100])
    Run().load(path)


def optimizer_empty(path: str) -> None:
    (Path(saved(path)) / "optimizer.bin").write_bytes(b"")
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

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
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


def other_groups(path: str) -> None:
    Run(groups=2).load(saved(path))


def other_parameters(path: str) -> None:
    folder = Path(saved(path))
    other = Path(saved(path + "-other", model=torch.nn.Sequential(Net(), torch.nn.Linear(4, 4))))
    shutil.copy(other / "optimizer.bin", folder / "optimizer.bin")
    Run().load(path)


def other_optimizer_sgd(path: str) -> None:
    Run(optimizer=torch.optim.SGD).load(saved(path)).train()


def other_optimizer_adam(path: str) -> None:
    Run().load(saved(path, optimizer=torch.optim.SGD)).train()


def other_rank(path: str) -> None:
    run = Run(Net(8))
    run.accelerator.register_load_state_pre_hook(lambda models, folder: models.clear())
    run.load(saved(path)).train()


def save_again(path: str) -> None:
    from accelerate.utils import ProjectConfiguration

    def make() -> Run:
        config = ProjectConfiguration(path, automatic_checkpoint_naming=True, total_limit=3)
        return Run(project_config=config)

    make().train().save(None)
    make().load().train().save(None)


def odd_folder(path: str) -> None:
    from accelerate.utils import ProjectConfiguration

    config = ProjectConfiguration(path, automatic_checkpoint_naming=True)
    run = Run(project_config=config).train().save(None)
    (Path(path) / "checkpoints" / "best").mkdir()
    run.load()


def custom_count(path: str) -> None:
    Run().load(saved(path, custom=1))


def no_folder(path: str) -> None:
    Run().load(path + "/nothing-here")


def load_kwargs(path: str) -> None:
    Run().load(saved(path), load_kwargs={"weights_only": False})


def rng_size(path: str) -> None:
    torch.set_rng_state(torch.zeros(5048, dtype=torch.uint8))


def rng_bytes(path: str) -> None:
    torch.set_rng_state(torch.full((torch.get_rng_state().numel(),), 255, dtype=torch.uint8))


def rng_list(path: str) -> None:
    torch.set_rng_state([1, 2, 3])


def rng_dtype(path: str) -> None:
    torch.set_rng_state(torch.zeros(10))


def no_cuda_key(path: str) -> None:
    change = lambda states: states.pop("torch_cuda_manual_seed", None)  # noqa: E731
    Run().load(rewritten(saved(path), "random_states_0.pkl", change))


INSTALLED = "/workspace/env/lib/python3.11/site-packages/"


def anonymous(text: str, scratch: str) -> str:
    """The text with the machine's own paths replaced."""
    text = text.replace(scratch, "/workspace/outputs")
    text = re.sub(r'"[^"]*/site-packages/', f'"{INSTALLED}', text)
    text = re.sub(
        r'(^|["\s:])/(?!/)[^"\s]*?/(?=(?:accelerate|safetensors|numpy)/)',
        rf"\g<1>{INSTALLED}",
        text,
    )
    return re.sub(r'"[^"]*/(?:raise_failures|small_runs)\.py"', '"/workspace/train.py"', text)


def main() -> None:
    """Run the cases named on the command line, each in a directory of its own."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch_version = torch.__version__.partition("+")[0]
    versions = f"accelerate-{__version__}-torch-{torch_version}-numpy-{np.__version__}"
    layout = "%(levelname)s:%(name)s:%(message)s"
    logging.captureWarnings(True)
    for case in sys.argv[2:]:
        log = io.StringIO()
        logging.basicConfig(stream=log, level=logging.INFO, force=True, format=layout)
        with tempfile.TemporaryDirectory() as scratch:
            try:
                globals()[case](os.path.join(scratch, "state"))  # noqa: PTH118
                ended = "(it returned)\n"
            except Exception:  # noqa: BLE001  (whatever it raises is what is wanted)
                ended = traceback.format_exc()
            text = anonymous(log.getvalue() + ended, scratch)
        (out / f"{case}--{versions}.txt").write_text(text)
        print(case, text.splitlines()[-1][:150])


if __name__ == "__main__":
    main()
