"""Runs inside an environment: pieces of `resume` that put weights and random states in place."""

import random
from typing import Any

import numpy as np
import torch
from answering import answer  # type: ignore[import-not-found]  # copied beside

import resume  # type: ignore[import-not-found]  # copied beside


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


if __name__ == "__main__":
    answer(weights_fitted, random_streams)
