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
from collections import Counter
from typing import Any, Callable

warnings.filterwarnings("ignore")
gc.disable()  # what is imported stays: looking for garbage among it takes a fifth of the time

from ckptmatrix.worker import measuring, merging, writing  # noqa: E402 - warnings go first
from ckptmatrix.worker.alterations import alterations  # noqa: E402
from ckptmatrix.worker.controls import control  # noqa: E402
from ckptmatrix.worker.exercising import exercise, often  # noqa: E402
from ckptmatrix.worker.finding import find_scenario  # noqa: E402
from ckptmatrix.worker.forking import Ended, run_forked  # noqa: E402
from ckptmatrix.worker.launching import Ranks, launch  # noqa: E402
from ckptmatrix.worker.neutral import Neutral  # noqa: E402
from ckptmatrix.worker.release import unusable_on, versions  # noqa: E402
from ckptmatrix.worker.settling import settle  # noqa: E402
from ckptmatrix.worker.staging import Stage  # noqa: E402

gc.enable()


class Worker:
    """Answers requests; keeps the truths it has read and the references it has made."""

    def __init__(self) -> None:
        self.truths: dict[str, Neutral] = {}
        self.references: dict[tuple[str, str, str], Ended] = {}
        self.loads: Counter[str] = Counter()
        self.stage: tuple[str, Stage] | None = None

    def answer(self, request: dict[str, Any]) -> Ended:
        """Do what is asked, in children."""
        asked: Callable[[dict[str, Any]], Ended] = getattr(self, "do_" + request["op"])
        return asked(request)

    def do_hello(self, request: dict[str, Any]) -> Ended:
        """Versions, what warmed the process, and the device that is here."""
        warmed = _warm(request["warm"], request["rehearse"])
        device = run_forked(lambda: _device(request["device"]), 60)
        return Ended(device.how, device.value and {**versions(), **device.value, "warm": warmed})

    def do_write(self, request: dict[str, Any]) -> Ended:
        """Write a checkpoint."""
        scenario = find_scenario(request["scenario"])
        scenario.exercise(reads=False)
        return _merged(
            launch(
                scenario.processes[0],
                lambda ranks: writing.write(request, ranks),
                request["seconds"],
            ),
            merging.merge_written,
        )

    def do_load(self, request: dict[str, Any]) -> Ended:
        """Measure one cell."""
        _import([request["loader"].partition(":")[0]])  # once, rather than in each child
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
        return _merged(self._measured(request, load, made.value), merging.merge_measured)

    def _measured(self, request: dict[str, Any], load: measuring.Load, references: list) -> Ended:
        """What each process says of a load."""
        source, device, seconds = request["scenario"], request["device"], request["seconds"]
        # Neither sockets nor CUDA survive a fork.
        if self._often(source) and len(references) == 1 and device == "cpu":
            stage = self._stage(source, device, seconds)
            if stage.ended.how != "threads":
                ended = stage.ask((request, load, references[0]), seconds)
                return Ended(ended.how, [ended.value]) if ended.how == "returned" else ended
        return launch(
            len(references),
            lambda ranks: measuring.measure(
                measuring.prepare(source, device, ranks), request, load, references[ranks.rank]
            ),
            seconds,
        )

    def _stage(self, source: str, device: str, seconds: float) -> Stage:
        """The stage of a scenario; one at a time, as its cells come one after the other."""
        if self.stage is None or self.stage[0] != source or self.stage[1].broken:
            self.close()
            stage = Stage(
                lambda: measuring.prepare(source, device, Ranks()),
                lambda prepared, request: measuring.measure(prepared, *request),
                seconds,
            )
            self.stage = source, stage
        return self.stage[1]

    def close(self) -> None:
        """End the stage."""
        if self.stage:
            self.stage[1].close()

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
            scenario, truths = find_scenario(request["scenario"]), self._truths(request)
            settle()
            self.references[key] = launch(
                scenario.processes[1],
                lambda ranks: measuring.make_reference(scenario, request["device"], truths, ranks),
                request["seconds"],
            )
        return self.references[key]

    def _often(self, source: str) -> bool:
        """Whether loads of this scenario are many enough to prepare for: from the second on."""
        self.loads[source] += 1
        if sum(self.loads.values()) == 2:
            often(exercise)
        if self.loads[source] == 2:
            scenario = find_scenario(source)
            often(lambda: scenario.exercise(reads=True))
        return self.loads[source] > 1


def _merged(ended: Ended, merge: Callable[[list[Any]], Any]) -> Ended:
    """The ranks' answers put together, if every one has answered."""
    return Ended(ended.how, merge(ended.value)) if ended.how == "returned" else ended


def _device(device: str) -> dict[str, str]:
    """In a child, since asking CUDA anything may start it."""
    import torch

    name = torch.cuda.get_device_name(0) if device == "cuda" else ""
    return {"device_name": name}


def _warm(modules: list[str], rehearse: bool) -> list[str]:
    """Import now what a save and a load import lazily, so that no child has to.

    Args:
        modules: names found by an earlier worker.
        rehearse: let a child rehearse a whole cell, to find what is missing.

    Returns:
        All names.
    """
    _import(modules)
    if not rehearse:
        return modules
    known = set(sys.modules)
    rehearsed = run_forked(lambda: _rehearse(known), 300)
    missing = rehearsed.value if rehearsed.how == "returned" else []
    _import(missing)
    return [*modules, *missing]


def _import(modules: list[str]) -> None:
    gc.disable()
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - only speed is at stake: a child imports what it needs
            continue
    gc.enable()


def _rehearse(known: set[str]) -> list[str]:
    """Names of the modules that a whole cell imports, in the order of import."""
    from ckptmatrix.worker.scenarios.basic import Basic

    if not unusable_on("cpu"):
        scenario = Basic()
        with tempfile.TemporaryDirectory() as place:
            training = writing.build(scenario, "cpu", 0, Ranks())
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
    worker.close()


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)  # the interpreter would take torch apart piece by piece, for half a second
