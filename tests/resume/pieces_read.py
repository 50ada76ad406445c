"""Runs inside an environment: pieces of `resume` that read a file, or refuse it."""

import json
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from answering import FOLDER, answer, raised, saved  # type: ignore[import-not-found]  # copied beside

import resume  # type: ignore[import-not-found]  # copied beside


def rewritten(path: Any, change: Callable[..., Any]) -> Any:
    """The archive with other records; `change` maps name and content to content, or None."""
    with zipfile.ZipFile(path) as old:
        entries = [(info.filename, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(path, "w") as new:
        for name, content in entries:
            new.writestr(name, change(name, content))
    return path


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


if __name__ == "__main__":
    answer(harmless_files, refused_files, allowed_files, safetensors_files)
