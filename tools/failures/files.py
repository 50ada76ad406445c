"""Failures of files and folders: damaged, of another kind, not written to their end."""
# ruff: noqa: D102, D103 (a case's name says what it does)

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from small_runs import Custom, Net, Run, saved


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


def folder_name(path: str) -> None:
    """As the scripts of diffusers find the newest checkpoint and its step."""
    for name in ("checkpoint-500", "checkpoint-best"):
        (Path(path) / name).mkdir(parents=True)
    folders = [folder.name for folder in Path(path).iterdir() if "checkpoint" in folder.name]
    folders = sorted(folders, key=lambda name: int(name.split("-")[1]))


def folder_without_dash(path: str) -> None:
    (Path(path) / "checkpoint_best").mkdir(parents=True)
    name = next(Path(path).iterdir()).name
    step = int(name.split("-")[1])
    print(step)


def _optimizer(path: str, content: bytes) -> None:
    (Path(saved(path)) / "optimizer.bin").write_bytes(content)
    Run().load(path)


def lfs_pointer(path: str) -> None:
    _optimizer(path, b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1000\n")


def web_page(path: str) -> None:
    _optimizer(path, b"<!doctype html><html><body>404</body></html>")


def zero_filled(path: str) -> None:
    _optimizer(path, bytes(2000))


def plain_pickle(path: str) -> None:
    _optimizer(path, pickle.dumps({"state": {}}, protocol=4))


def bit_rot(path: str) -> None:
    """One byte of a tensor changed; torch compares no checksum of what it maps."""
    file = Path(saved(path)) / "optimizer.bin"
    content = bytearray(file.read_bytes())
    start = content.index(b"data/0") + 6
    content[start : start + 400] = bytes(400)
    file.write_bytes(content)
    Run().load(path)


def central_directory_rot(path: str) -> None:
    file = Path(saved(path)) / "optimizer.bin"
    content = bytearray(file.read_bytes())
    start = content.index(b"PK\1\2")
    content[start : start + 40] = bytes(40)
    file.write_bytes(content)
    Run().load(path)


def legacy_cut(path: str) -> None:
    file = Path(saved(path)) / "optimizer.bin"
    state = torch.load(file, weights_only=False)
    torch.save(state, file, _use_new_zipfile_serialization=False)
    file.write_bytes(file.read_bytes()[:-200])
    Run().load(path)


def torch_disk_full(path: str) -> None:
    _no_space()
    Run(Net(2000)).train().save(path, safe_serialization=False)


def safetensors_disk_full(path: str) -> None:
    _no_space()
    Run(Net(2000)).train().save(path)


def _no_space() -> None:
    """No file may be larger than 12 kB from here on, as on a disk with so much space."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))


def safetensors_no_folder(path: str) -> None:
    from safetensors.torch import save_file

    save_file(Net().state_dict(), f"{path}/nothing-here/model.safetensors")


def hook_pops(path: str) -> None:
    """A save hook that takes one weight for each model, though there are none, as under FSDP."""

    def save_model_hook(models: Any, weights: Any, output_dir: str) -> None:
        weights.clear()
        for _ in models:
            weights.pop()

    run = Run().train()
    run.accelerator.register_save_state_pre_hook(save_model_hook)
    run.save(path)


class Gone(Custom):
    """A class that is no longer there when its object is loaded."""

    def state_dict(self) -> dict[str, Any]:
        return {"value": self}


def class_gone(path: str) -> None:
    import warnings

    run = Run(custom=1)
    run.accelerator._custom_objects[0] = Gone()
    with warnings.catch_warnings():
        run.save(path)
    there = globals().pop("Gone")
    try:
        run.load(path)
    finally:
        globals()["Gone"] = there


def gpu_gone(path: str) -> None:
    """A tensor whose file says that it was on a GPU."""
    original = torch.serialization.location_tag
    torch.serialization.location_tag = lambda storage: "cuda:3"
    try:
        torch.save(torch.ones(3), f"{path}.pt")
    finally:
        torch.serialization.location_tag = original
    torch.load(f"{path}.pt")


def no_memory(path: str) -> None:
    """Less memory than the optimizer's state takes."""
    import resource

    def wide() -> Net:
        return Net(4_000_000)

    saved(path, model=wide())
    run = Run(wide())
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20), used + (100 << 20)))
    run.load(path)
