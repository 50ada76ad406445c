"""Runs inside an environment: pieces of `resume` that know files and folders by name and date."""

import io
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from answering import FOLDER, answer, raised  # type: ignore[import-not-found]  # copied beside

import resume  # type: ignore[import-not-found]  # copied beside


def names() -> dict[str, Any]:
    given = [
        *("model.safetensors", "pytorch_model_2.bin", "optimizer.bin", "scheduler_1.bin"),
        *("scaler.pt", "dl_state_dict.bin", "sampler.bin", "random_states_3.pkl"),
        *(
            "custom_checkpoint_0.pkl",
            "optimizer.pt",
            "random_states.pkl",
            "model_1.safetensors.tmp",
        ),
        *("optimizer_x.bin", "xoptimizer.bin", "optimizer_1.bin.bak", "scaler_1.pt"),
    ]
    described = {name: resume._described(name) for name in given}
    return {
        name: file and [file.component, file.index, file.title] for name, file in described.items()
    }


def names_made() -> dict[str, Any]:
    return {
        f"{component} {index}": resume._names(component, index)
        for component in resume.FILE_NAMES
        for index in (0, 2)
    }


def files_asked_for() -> dict[str, Any]:
    checkpoint = resume._Checkpoint(FOLDER, (), ())
    asked = {
        "its own": FOLDER / "optimizer.bin",
        "its own, as text": str(FOLDER / "optimizer.bin"),
        "another folder": FOLDER / "other" / "optimizer.bin",
        "another name": FOLDER / "ema.bin",
        "a stream": io.BytesIO(),
    }
    return {title: bool(checkpoint.own_file(f)) for title, f in asked.items()}


def why_lost() -> dict[str, Any]:
    folder = FOLDER / "ranks"
    folder.mkdir()
    missing = FileNotFoundError()
    alone = resume._Checkpoint(folder, (), ())
    answers = {"alone": alone.why_lost("random_states_1.pkl", missing)}
    (folder / "random_states_0.pkl").touch()
    others = resume._Checkpoint(folder, (), ())
    answers["others"] = others.why_lost("random_states_1.pkl", missing)
    answers["another kind"] = others.why_lost("optimizer.bin", missing)
    answers["another error"] = others.why_lost("optimizer.bin", OSError("no space"))
    answers["names it"] = others.why_lost("optimizer.bin", OSError("optimizer.bin is bad"))
    return answers


def order() -> dict[str, Any]:
    folder = FOLDER / "order"
    folder.mkdir()
    for second, name in enumerate(("model.safetensors", "pytorch_model.bin", "optimizer.bin")):
        (folder / name).touch()
        os.utime(folder / name, (second, second))
    checkpoint = resume._Checkpoint(folder, (), ())
    a, b, c = "model.safetensors", "pytorch_model.bin", "optimizer.bin"
    orders = {"a b": (a, b), "b a": (b, a), "a b c": (a, b, c), "a c b": (a, c, b), "a a": (a, a)}
    orders["a b missing"] = (a, b, "scheduler.bin")
    return {title: checkpoint.in_order(*files) for title, files in orders.items()}


def naming() -> dict[str, Any]:
    def of(name: str, automatic: bool) -> Any:
        configuration = SimpleNamespace(automatic_checkpoint_naming=automatic, iteration=0)
        checkpoint = SimpleNamespace(path=Path(name))
        load = resume._Load(SimpleNamespace(project_configuration=configuration), checkpoint)
        load.continue_naming()
        return [configuration.iteration, "save_iteration" in load.components]

    return {
        "automatic": of("a/checkpoint_6", True),
        "by hand": of("a/checkpoint_6", False),
        "another name": of("a/state", True),
    }


def latest() -> dict[str, Any]:
    def of(*found: str) -> Any:
        project = Path(tempfile.mkdtemp(dir=FOLDER))
        for name in found:
            (project / "checkpoints" / name).mkdir(parents=True)
        return project

    chosen = resume._latest(SimpleNamespace(project_dir=str(of("checkpoint_9", "checkpoint_10"))))
    return {
        "of two": chosen.name,
        "of none": raised(resume._latest, SimpleNamespace(project_dir=str(of("checkpoint_x"))))[0],
        "no directory": raised(resume.load_state, None, FOLDER / "nowhere"),
    }


if __name__ == "__main__":
    answer(names, names_made, files_asked_for, why_lost, order, naming, latest)
