"""What the tools cost on large checkpoints: `resume.load_state`, `inspect`, `repair`.

    python tools/bench_large.py                 a checkpoint of 1 GB, five rounds; some minutes

The two loaders take turns, each time in a fresh process, so that neither profits from the other's
caches; times are of the load alone, memory is the process's peak.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console

from ckptmatrix.environments import building
from ckptmatrix.environments.site import Site
from ckptmatrix.model import Environment
from ckptmatrix.plan.config import read_config
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import Home

ROOT = Path(__file__).parents[1]

TRAINING = """
import json, os, resource, sys, time
import torch
from accelerate import Accelerator

what, directory, layers, width = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
accelerator = Accelerator(cpu=True)
model = torch.nn.Sequential(*[torch.nn.Linear(width, width, bias=False) for _ in range(layers)])
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)
for parameter in model.parameters():
    parameter.grad = torch.ones_like(parameter)
optimizer.step()
scheduler.step()
optimizer.zero_grad()
if what == "save":
    accelerator.step = 360
    accelerator.save_state(directory)
else:
    sys.path.insert(0, sys.argv[5])
    from resume import load_state

    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    if what == "native":
        accelerator.load_state(directory)
    else:
        load_state(accelerator, directory)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": after.ru_maxrss * 1024}))
"""


@click.command()
@click.option("--release", default="1.15.0", show_default=True)
@click.option("--stack", default="torch2.15-np2", show_default=True)
@click.option("--layers", default=20, show_default=True, help="Of 17 MB each; Adam trebles it.")
@click.option("--rounds", default=5, show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path), default=ROOT / "reports/bench_large.json"
)
def command(release: str, stack: str, layers: int, rounds: int, output: Path) -> None:
    """Measure the tools on large checkpoints."""
    console = Console()
    config = read_config(ROOT / "matrix.toml")
    home = Home.of(ROOT)
    built = building.build(Environment(release, stack), Site(config, home))
    with tempfile.TemporaryDirectory(prefix="ckptmatrix-bench-") as folder:
        place = Path(folder)
        found = {
            "environment": built.environment.id,
            **_loading(built.python, place, layers, rounds),
            **_repairing(place),
            **_inspecting(place),
        }
    write_atomically(output, (json.dumps(found, indent=2) + "\n").encode())
    console.print_json(data=found)


def _loading(python: Path, place: Path, layers: int, rounds: int) -> dict[str, Any]:
    script = place / "training.py"
    script.write_text(TRAINING)
    sizes = [str(place / "checkpoint"), str(layers), "2048"]

    def run(what: str) -> Any:
        arguments = [str(python), "-s", str(script), what, *sizes, str(ROOT / "src" / "ckptmatrix")]
        quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(arguments, env=quiet, capture_output=True, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout else None

    run("save")
    run("native"), run("resume")  # the page cache is warm for both
    turns = [(run("native"), run("resume")) for _ in range(rounds)]
    files = {path.name: path.stat().st_size for path in (place / "checkpoint").iterdir()}
    native, resume = ([turn[side] for turn in turns] for side in (0, 1))
    return {
        "checkpoint_bytes": sum(files.values()),
        "rounds": rounds,
        "native_seconds": median(one["wall"] for one in native),
        "resume_seconds": median(one["wall"] for one in resume),
        "resume_over_native": median(b["wall"] / a["wall"] for a, b in turns),
        "resume_over_native_cpu": median(b["cpu"] / a["cpu"] for a, b in turns),
        "native_peak_bytes": median(one["peak"] for one in native),
        "resume_peak_bytes": median(one["peak"] for one in resume),
        "random_states_bytes": files["random_states_0.pkl"],
    }


def _repairing(place: Path) -> dict[str, Any]:
    """Peak memory of `repair` beyond that of a process that only imports it."""
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from ckptmatrix.checkpoint.repair import repair\n"
        "if len(sys.argv) > 1: repair(*map(Path, sys.argv[1:]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
    )

    def peak(*arguments: Path) -> int:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    started = time.perf_counter()
    whole = peak(place / "checkpoint", place / "repaired")
    return {
        "repair_seconds": time.perf_counter() - started,
        "repair_bytes_beyond_import": whole - peak(),
        "largest_tensor_bytes": 2048 * 2048 * 4,
    }


def _inspecting(place: Path) -> dict[str, Any]:
    """`inspect` of a directory of 10 GB, whose weights are a hole."""
    large = place / "large"
    large.mkdir()
    for path in (place / "checkpoint").iterdir():
        if path.suffix != ".safetensors":
            os.link(path, large / path.name)  # a link elsewhere would be a finding
    header = json.dumps(
        {"0.weight": {"dtype": "F32", "shape": [50_000, 50_000], "data_offsets": [0, 10**10]}}
    ).encode()
    with (large / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + 10**10)
    command = [sys.executable, "-m", "ckptmatrix", "inspect", str(large)]
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        seconds.append(time.perf_counter() - started)
    return {"inspect_10_gb_seconds": median(seconds)}


if __name__ == "__main__":
    command()
