"""Write fixtures/checkpoints/ anew: small real checkpoints by real releases, with their provenance.

    nox -s fixtures

One on each side of every format change, in the smallest stack that shows it. Each folder holds
the checkpoint's directory, the state that was captured just before the save (`truth.json`,
`truth.safetensors`), and `manifest.json`: who wrote it, when, by what, and SHA-256 of each file.
"""

import hashlib
import shutil
import sys
from pathlib import Path

import msgspec

from ckptmatrix import __version__
from ckptmatrix.environments.site import Site
from ckptmatrix.measure.checkpoints import Written
from ckptmatrix.measure.lab import Lab
from ckptmatrix.measure.outcome_store import now
from ckptmatrix.model import Environment
from ckptmatrix.plan.config import read_config
from ckptmatrix.util.files import write_atomically

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "fixtures" / "checkpoints"

WRITERS = {
    "basic": (
        "0.14.0+torch2.4-np1",  # the last that overlooks the scheduler ...
        "0.15.0+torch2.4-np1",  # ... and the first that saves it
        "0.24.1+torch2.4-np1",  # pytorch_model.bin ...
        "0.25.0+torch2.4-np1",  # ... model.safetensors
        "0.31.0+torch2.4-np1",  # no step ...
        "0.32.1+torch2.4-np1",  # ... step
        "0.33.0+torch2.4-np1",  # the founding case's release
        "1.4.0+torch2.4-np1",  # torch_cuda_manual_seed always ...
        "1.8.1+torch2.4-np1",  # ... only with CUDA
        "1.15.0+torch2.4-np1",  # today's accelerate; torch 2.4 and numpy 1 ...
        "1.15.0+torch2.15-np1",  # ... torch 2.15 ...
        "1.15.0+torch2.15-np2",  # ... numpy 2
    ),
    "kohya-lora": ("0.33.0+torch2.4-np1",),
    "tied-weights": ("0.24.1+torch2.4-np1", "1.15.0+torch2.15-np2"),
    "two-models": ("1.15.0+torch2.15-np2",),
    "ddp-2": ("1.15.0+torch2.15-np2",),
    "fsdp-2": ("1.0.1+torch2.15-np2", "1.15.0+torch2.15-np2"),  # what FSDP1 gathered ...
    "fsdp-2-sharded": (
        "1.0.1+torch2.15-np2",  # ... and its shards,
        "1.15.0+torch2.4-np1",  # without what newer torch tells of tensors and groups ...
        "1.15.0+torch2.15-np2",  # ... and with it
    ),
    "fsdp-2-v2": ("1.15.0+torch2.15-np2",),
    "fsdp-2-v2-sharded": (
        "1.6.0+torch2.15-np2",  # the optimizer by numbers of parameters ...
        "1.15.0+torch2.15-np2",  # ... and by names
    ),
}
"""Scenario -> who writes it."""


def main() -> None:
    """Write every fixture, or stop at the first that cannot be written."""
    config = read_config(ROOT / "matrix.toml")
    staged = TARGET.with_name(".checkpoints-new")
    shutil.rmtree(staged, ignore_errors=True)
    with Lab(Site.of(config)) as lab:
        for scenario, writers in WRITERS.items():
            for writer in writers:
                release, _, stack = writer.partition("+")
                environment = Environment(release, stack)
                written = lab.registry.written(environment, scenario)
                if written.record.status != "written":
                    sys.exit(f"{writer} {scenario}: {written.record.reason}")
                packages = lab.registry.installed(environment).record.packages
                keep(written, packages, staged / scenario / writer)
                print(f"{scenario:<14}{writer}")
    shutil.rmtree(TARGET, ignore_errors=True)
    staged.rename(TARGET)


def keep(written: Written, packages: tuple[str, ...], folder: Path) -> None:
    """Copy one checkpoint, its truth and its provenance."""
    shutil.copytree(written.directory, folder / written.record.directory)
    for path in written.place.glob("truth*"):
        shutil.copy(path, folder / path.name)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        "generator": f"ckptmatrix {__version__}, tools/make_fixtures.py",
        "date": now()[:10],
        "writer": written.record.writer,
        "scenario": written.record.scenario,
        "directory": written.record.directory,
        "unsaved": written.record.unsaved,
        "packages": packages,
        "sha256": {path.relative_to(folder).as_posix(): sha256(path) for path in files},
    }
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    write_atomically(folder / "manifest.json", text + b"\n")


def sha256(path: Path) -> str:
    """Digest of a file, as 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
