"""A worker: imports torch and accelerate once, then answers one JSON line with one JSON line.

Requests: `hello`, `write`, `load`, `control`. Each is done in a forked child. Answers carry `ended`
(`returned`, `raised`: the harness itself failed, `crashed`, `timeout`) and `value`. Standard output
is kept for the answers alone; whatever a library prints goes to standard error.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import tempfile
import warnings
from typing import Any, Callable

warnings.filterwarnings("ignore")

from ckptmatrix.worker import measuring, merging, writing  # noqa: E402 - warnings go first
from ckptmatrix.worker.alterations import alterations  # noqa: E402
from ckptmatrix.worker.controls import control  # noqa: E402
from ckptmatrix.worker.finding import find_scenario  # noqa: E402
from ckptmatrix.worker.forking import Ended, run_forked  # noqa: E402
from ckptmatrix.worker.launching import Ranks, launch  # noqa: E402
from ckptmatrix.worker.neutral import Neutral  # noqa: E402
from ckptmatrix.worker.release import unusable_on, versions  # noqa: E402
from ckptmatrix.worker.settling import settle  # noqa: E402
from ckptmatrix.worker.training import Scenario  # noqa: E402


class Worker:
    """Answers requests; keeps the truths it has read and the references it has made."""

    def __init__(self) -> None:
        self.truths: dict[str, Neutral] = {}
        self.references: dict[tuple[str, str, str], Ended] = {}
        self.rehearsed: set[tuple[str, bool]] = set()

    def answer(self, request: dict[str, Any]) -> Ended:
        """Do what is asked, in children."""
        asked: Callable[[dict[str, Any]], Ended] = getattr(self, "do_" + request["op"])
        return asked(request)

    def do_hello(self, request: dict[str, Any]) -> Ended:
        """Versions, what warmed the process, and the device that is here."""
        warmed = _warm(request["warm"])
        device = run_forked(lambda: _device(request["device"]), 60)
        return Ended(device.how, device.value and {**versions(), **device.value, "warm": warmed})

    def do_write(self, request: dict[str, Any]) -> Ended:
        """Write a checkpoint."""
        processes = find_scenario(request["scenario"]).processes[0]
        self._rehearse(request["scenario"], reads=False)
        return _merged(
            launch(processes, lambda ranks: writing.write(request, ranks), request["seconds"]),
            merging.merge_written,
        )

    def do_load(self, request: dict[str, Any]) -> Ended:
        """Measure one cell."""
        return self._measure(request, measuring.loader_under_test(request["loader"]))

    def do_control(self, request: dict[str, Any]) -> Ended:
        """Measure a load whose outcome is known."""
        truths = self._truths(request)
        return self._measure(request, control(request, truths))

    def do_alterations(self, request: dict[str, Any]) -> Ended:
        """Every alteration of a checkpoint; `other` is one of another run of the scenario."""
        scenario, other = find_scenario(request["scenario"]), request.get("other", "")
        return run_forked(
            lambda: [a._asdict() for a in alterations(scenario, request["directory"], other)],
            request["seconds"],
        )

    def do_reference(self, request: dict[str, Any]) -> Ended:
        """The training that follows a perfect load; None if it has not as many processes."""
        writers, readers = find_scenario(request["scenario"]).processes
        if writers != readers:
            return Ended("returned", None)
        return _merged(
            self._references(request),
            lambda made: merging.merge_traces([reference.trace for reference in made]),
        )

    def _measure(self, request: dict[str, Any], load: measuring.Load) -> Ended:
        reason = measuring.cannot(request)
        made = self._references(request) if not reason else Ended("returned", [])
        if made.how != "returned":
            return Ended("raised", f"the reference {made.how}: {made.value}")
        reason = reason or made.value[0].unsupported
        if reason:
            return Ended("returned", {"how": "unsupported", "reason": reason})
        return _merged(
            launch(
                len(made.value),
                lambda ranks: measuring.measure(request, load, made.value[ranks.rank], ranks),
                request["seconds"],
            ),
            merging.merge_measured,
        )

    def _truths(self, request: dict[str, Any]) -> list[Neutral]:
        """The captured state of each of the writer's processes."""
        place, writers = request["truth"], find_scenario(request["scenario"]).processes[0]
        found = []
        for stem in (merging.of_rank(place, rank) for rank in range(writers)):
            if stem not in self.truths:
                self.truths[stem] = Neutral.load(stem)
            found.append(self.truths[stem])
        return found

    def _references(self, request: dict[str, Any]) -> Ended:
        """One for each process; made once for each scenario and state, which many writers share."""
        key = (request["scenario"], request["device"], request["digest"])
        if key not in self.references:
            self._rehearse(request["scenario"], reads=True)
            scenario, truths = find_scenario(request["scenario"]), self._truths(request)
            settle()
            self.references[key] = launch(
                scenario.processes[1],
                lambda ranks: measuring.make_reference(scenario, request["device"], truths, ranks),
                request["seconds"],
            )
        return self.references[key]

    def _rehearse(self, source: str, reads: bool) -> None:
        """Import, once and for all cells, what those of such a scenario import lazily."""
        scenario = find_scenario(source)
        if scenario.imports_much and (source, reads) not in self.rehearsed:
            self.rehearsed.add((source, reads))
            if not scenario.unsupported("cpu"):
                _import(_rehearsal(scenario, reads))


def _merged(ended: Ended, merge: Callable[[list[Any]], Any]) -> Ended:
    """The ranks' answers put together, if every one has answered."""
    return Ended(ended.how, merge(ended.value)) if ended.how == "returned" else ended


def _device(device: str) -> dict[str, str]:
    """In a child, since asking CUDA anything may start it."""
    import torch

    name = torch.cuda.get_device_name(0) if device == "cuda" else ""
    return {"device_name": name}


def _warm(modules: list[str] | None) -> list[str]:
    """Import now what a save and a load import lazily, so that no child has to.

    Args:
        modules: names found by an earlier worker of this environment; None to find them by letting
            a child rehearse a whole cell.

    Returns:
        The names.
    """
    if modules is None:
        from ckptmatrix.worker.scenarios.basic import Basic

        modules = _rehearsal(Basic())
    _import(modules)
    return modules


def _import(modules: list[str]) -> None:
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - only speed is at stake: a child imports what it needs
            continue


def _rehearsal(scenario: Scenario, reads: bool = False) -> list[str]:
    """Names of the modules that a whole cell imports, in the order of import."""
    known = set(sys.modules)
    rehearsed = run_forked(lambda: _rehearse(scenario, reads, known), 300)
    return rehearsed.value if rehearsed.how == "returned" else []


def _rehearse(scenario: Scenario, reads: bool, known: set[str]) -> list[str]:
    if not unusable_on("cpu"):
        with tempfile.TemporaryDirectory() as place:
            training = writing.build(scenario, "cpu", 0, Ranks(), reads)
            scenario.before(training)
            directory = scenario.save(training, place)
            try:
                training.accelerator.load_state(directory)
            except Exception:  # noqa: BLE001 - what it imported before it failed is what counts
                pass
    return [name for name in list(sys.modules) if name not in known]


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        sys.path[:0] = [path for path in request.get("paths", ()) if path not in sys.path]
        gc.freeze()  # keeps the collector of every child off the pages it shares with this process
        ended = worker.answer(request)
        json.dump({"ended": ended.how, "value": ended.value}, answers)
        answers.write("\n")
        answers.flush()


if __name__ == "__main__":
    main()
