"""Runs inside an environment: small parts of `resume`, by themselves. Prints name -> result."""

import contextlib
import io
import json
import os
import pickle
import random
import sys
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

import resume  # type: ignore[import-not-found]  # copied beside

FOLDER = Path(tempfile.mkdtemp())


def raised(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """The error, without the path of the temporary folder."""
    try:
        return ["no error", repr(function(*arguments, **keywords))]
    except Exception as error:  # noqa: BLE001 - whatever it raises is the result
        return [type(error).__name__, str(error).replace(f"{FOLDER}/", "")]


def saved(name: str, value: Any) -> Any:
    torch.save(value, FOLDER / name)
    return FOLDER / name


def rewritten(path: Any, change: Callable[..., Any]) -> Any:
    """The archive with other records; `change` maps name and content to content, or None."""
    with zipfile.ZipFile(path) as old:
        entries = [(info.filename, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(path, "w") as new:
        for name, content in entries:
            new.writestr(name, change(name, content))
    return path


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


def counts() -> dict[str, Any]:
    """By what is known: the count of this release, out of 3 updates of 4 micro-batches."""
    known: dict[str, tuple[int, dict[str, Any]]] = {
        "updates, read as such": (3, {}),
        "micro-batches of an early release": (12, {"saved_early": True}),
        "updates of an early release": (3, {"saved_early": True}),
        "an update before its time, at the end of the data": (11, {"saved_early": True}),
        "in the middle of a round": (13, {"saved_early": True}),
        "micro-batches of a late release": (12, {}),
        "updates, read as micro-batches": (3, {"counted_in_updates": False}),
        "the same, after an update": (3, {"counted_in_updates": False, "at_update": True}),
        "the same, in a round": (3, {"counted_in_updates": False, "at_update": False}),
        "micro-batches, read as such": (12, {"counted_in_updates": False}),
        "nothing yet": (0, {"counted_in_updates": False, "updates": 0, "micro_batches": 0}),
    }
    base: dict[str, Any] = {
        "updates": 3,
        "micro_batches": 12,
        "at_update": None,
        "saved_early": False,
    }
    base["counted_in_updates"] = True
    return {
        title: resume._recount(count, resume._Progress(**{**base, **other}))
        for title, (count, other) in known.items()
    }


def accelerator(**other: Any) -> Any:
    """As much of one as a scheduler's count depends on: 3 updates of 4 micro-batches."""
    scheduler = SimpleNamespace(step_with_optimizer=True, gradient_state=None)
    optimizer = SimpleNamespace(state={0: {"step": torch.tensor(3.0)}, 1: {"exp_avg": None}})
    known: dict[str, Any] = {
        "gradient_accumulation_steps": 4,
        "num_processes": 1,
        "process_index": 0,
        "split_batches": False,
        "_schedulers": [scheduler],
        "_optimizers": [optimizer],
    }
    return SimpleNamespace(**{**known, **other})


def progress() -> dict[str, Any]:
    def of(step: Any = None, ranks: int = 1, safetensors: bool = False, **other: Any) -> Any:
        folder = Path(tempfile.mkdtemp(dir=FOLDER))
        states = {} if step is None else {"step": step}
        for rank in range(ranks):
            torch.save(states, folder / f"random_states_{rank}.pkl")
        if safetensors:
            (folder / "model.safetensors").touch()
        load = resume._Load(accelerator(**other), resume._Checkpoint(folder, (), ()))
        return load.progress()

    old = SimpleNamespace(step_with_optimizer=True)
    alone = SimpleNamespace(step_with_optimizer=False, gradient_state=None)
    return {
        "early": of(),
        "with safetensors": of(safetensors=True),
        "with a step": of(step=8),
        "in a round": of(step=9),
        "two processes": of(ranks=2, num_processes=2),
        "split batches": of(ranks=2, num_processes=2, split_batches=True),
        "read by 0.15": of(_schedulers=[old]),
        "no accumulation": of(gradient_accumulation_steps=1),
        "stepped by the script": of(_schedulers=[alone]),
        "other processes": of(ranks=2),
        "plain SGD": of(_optimizers=[SimpleNamespace(state={})]),
    }


def recounted() -> dict[str, Any]:
    folder = FOLDER / "recounted"
    folder.mkdir()
    torch.save({}, folder / "random_states_0.pkl")

    def of(count: int, **other: Any) -> Any:
        load = resume._Load(accelerator(**other), resume._Checkpoint(folder, (), ()))
        file = resume._described("scheduler.bin")
        state = load.recounted({"last_epoch": count, "_step_count": count + 1, "x": 1}, file)
        outcome = load.components.get("scheduler")
        return [state, outcome and [outcome.status, outcome.how]]

    old = [SimpleNamespace(step_with_optimizer=True)]
    return {
        "as it is": of(3),
        "anew": of(12),
        "unknown": of(3, _schedulers=old),
        "alike": of(12, gradient_accumulation_steps=1),
    }


def harmless_files() -> dict[str, Any]:
    values = {
        "array": np.arange(3),
        "scalar": np.float64(2),
        "bytes": b"\x80",
        "containers": [{1}, (2,), OrderedDict(a=3), 1j, slice(1)],
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "dtype": torch.bfloat16,
        "device": torch.device("cpu"),
    }
    read = {n: resume.read(saved(f"{n}.bin", value)) for n, value in values.items()}
    return {n: repr(read[n]) == repr(value) for n, value in values.items()}


class Own:
    """A class of the script."""


class Touch:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> Any:
        return (open, (f"{FOLDER}/was-run", "w"))


def refused_files() -> dict[str, Any]:
    good = saved("good.bin", torch.ones(4))
    inner = pickle.dumps(torch.Size, 2)[:-1] + b"N}X\x01\x00\x00\x00aK\x01s\x86b."
    cases = {
        "function": saved("function.bin", Touch()),
        "class": saved("class.bin", Own()),
        "dtype of objects": saved("objects.bin", np.array([None])),
        "no file": FOLDER / "none.bin",
    }
    cases["no archive"] = FOLDER / "pickle.bin"
    cases["no archive"].write_bytes(pickle.dumps(1))
    cases["TorchScript"] = saved("script.bin", torch.ones(1))
    with zipfile.ZipFile(cases["TorchScript"], "a") as archive:
        archive.writestr("script/constants.pkl", pickle.dumps(1))
    cases["packed"] = saved("packed.bin", torch.ones(100))
    with zipfile.ZipFile(cases["packed"], "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("packed/more", b"0" * 100)
    cases["beyond its record"] = rewritten(
        saved("short.bin", torch.ones(4)),
        lambda name, content: content[:8] if name.endswith("data/0") else content,
    )
    cases["another codec"] = rewritten(
        saved("codec.bin", b"\x80"),
        lambda name, content: content.replace(b"latin1", b"rot_13"),
    )
    cases["changes a class"] = rewritten(
        saved("build.bin", 1),
        lambda name, content: inner if name.endswith("data.pkl") else content,
    )
    cases["no pickle"] = rewritten(
        saved("empty.bin", 1),
        lambda name, content: b"" if name.endswith("data.pkl") else content,
    )
    answers = {title: raised(resume.read, path) for title, path in cases.items()}
    answers["was run"] = (FOLDER / "was-run").exists()
    answers["good"] = resume.read(good).tolist()
    return answers


def allowed_files() -> dict[str, Any]:
    path = saved("own.bin", Own())
    answers: dict[str, Any] = {
        "in the call": type(resume.read(path, allow=[Own])) is Own,
        "by another name": type(resume.read(path, allow=[(Own, "__main__.Own")])) is Own,
    }
    if hasattr(torch.serialization, "safe_globals"):
        with torch.serialization.safe_globals([Own]):
            answers["in the process"] = type(resume.read(path)) is Own
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    answers["with weights only forced"] = resume.read(saved("n.bin", np.arange(2))).tolist()
    answers["the variable"] = os.environ.pop("TORCH_FORCE_WEIGHTS_ONLY_LOAD")
    unsafe = resume._Checkpoint(FOLDER, (), ("own*",))
    answers["by pattern"] = type(unsafe.read("own.bin")) is Own
    return answers


def safetensors_files() -> dict[str, Any]:
    def of(header: Any, data: bytes = b"", cut: Any = None) -> Any:
        text = json.dumps(header).encode() if not isinstance(header, bytes) else header
        path = FOLDER / "weights.safetensors"
        path.write_bytes((len(text).to_bytes(8, "little") + text + data)[:cut])
        return path

    def entry(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> Any:
        return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}

    data = np.array([1, 2], "<f4").tobytes()
    read = resume._map_safetensors
    whole = read(of({**entry(), "__metadata__": {"format": "pt"}}, data))
    return {
        "whole": {name: tensor.tolist() for name, tensor in whole.items()},
        "empty tensor": list(read(of(entry(shape=(0, 3), offsets=(0, 0))))["a"].shape),
        "types": sorted(n for n in resume.SAFETENSORS_DTYPES.values() if not hasattr(torch, n)),
        "no header": raised(read, of(entry(), cut=4)),
        "short header": raised(read, of(entry(), cut=20)),
        "no JSON": raised(read, of(b"{")),
        "no object": raised(read, of(b"[]")),
        "another type": raised(read, of(entry("F4"), data)),
        "too short": raised(read, of(entry(), data[:4])),
        "another size": raised(read, of(entry(shape=(3,)), data)),
    }


def weights_fitted() -> dict[str, Any]:
    a, b = torch.ones(2), torch.zeros(3)
    view = torch.ones(4)[:2]
    live = {"x": a, "y": b, "head": a, "extra": {"no": "tensor"}, "view": view}
    compiled = {f"_orig_mod.{name}": tensor for name, tensor in live.items()}

    def fit(given: Any, live: Any) -> Any:
        weights = dict(given)
        how = resume._rename_compiled(weights, live) + resume._fill_in_tied(weights, live)
        return [sorted(weights), how]

    return {
        "as it is": fit({"x": a, "y": b, "head": a, "view": view}, live),
        "tied": fit({"head": a, "y": b}, live),
        "prefix taken": fit({"_orig_mod.x": a, "_orig_mod.y": b}, {"x": a, "y": b}),
        "prefix given": fit({"x": a, "y": b}, compiled),
        "unknown": fit({"z": a}, {"x": a}),
        "without memory": fit({"x": a}, {n: torch.ones(2, device="meta") for n in ("x", "y")}),
    }


def random_streams() -> dict[str, Any]:
    answers = {}
    for title, stream in resume._STREAMS.items():
        if title == "rng.cuda":
            continue
        state = stream.get()
        drawn = (random.random(), np.random.rand(), float(torch.rand(())))
        outcome = stream.restore(state, "FILE")
        again = (random.random(), np.random.rand(), float(torch.rand(())))
        place = list(resume._STREAMS).index(title)
        answers[title] = [outcome.status, outcome.how, drawn[place] == again[place]]
    answers["python, as lists"] = (
        resume._STREAMS["rng.python"].restore([3, list(random.getstate()[1]), None], "FILE").status
    )
    answers["no state"] = resume._STREAMS["rng.torch"].restore("no state", "FILE").status
    deaf = resume._Stream(lambda: 1, lambda state: None)
    partly = resume._Stream(lambda: 1, lambda state: ", 1 of 2")
    answers["not set"] = [deaf.restore(2, "FILE").status, deaf.restore(1, "FILE").status]
    answers["in part"] = [partly.restore(2, "FILE").status, partly.restore(2, "FILE").how]
    return answers


def steps() -> dict[str, Any]:
    def of(states: Any, given: Any, unread: Any = None) -> Any:
        load = resume._Load(SimpleNamespace(process_index=0, step=99), None)
        load.random_states = states
        if unread:
            load.components["step"] = resume.Component("lost", unread)
        load.restore_step(given)
        outcome = load.components["step"]
        return [load.accelerator.step, outcome.status, outcome.how]

    return {
        "saved": of({"step": 5}, None),
        "both": of({"step": 5}, 7),
        "given": of({}, 7),
        "given, unread": of({}, 7, "damaged"),
        "unread": of({}, None, "damaged"),
        "neither": of({"random_state": 1}, None),
    }


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


PIECES = [
    *(names, names_made, files_asked_for, why_lost, order, counts, progress, recounted),
    *(harmless_files, refused_files, allowed_files, safetensors_files, weights_fitted),
    *(random_streams, steps, naming, latest),
]

if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        answers = {piece.__name__: piece() for piece in PIECES}
    print(json.dumps(answers))
