"""A way round, run for real: load in each environment, save again there, judge at each stop.

Every stop is judged against the state of the first writer, so what a stop in between cannot keep
shows at the next one, also where each hop on its own is exact.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from ckptmatrix.environments import building
from ckptmatrix.environments.site import Site
from ckptmatrix.measure.checkpoints import Written
from ckptmatrix.measure.faults import HarnessError
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, CheckpointStatus, Environment, Matrix, Status, summary
from ckptmatrix.results.findings.detours import Detour, Verify
from ckptmatrix.util.unfinished import folder_in, temporary_folder

AGAIN = "ckptmatrix.worker.loaders._again:load_and_save"
"""Loads and saves again beside the checkpoint."""


def verifier(site: Site, build: bool) -> Verify:
    """Give a function that makes the hops of a path for real.

    Args:
        site: where environments and checkpoints lie.
        build: whether to build environments that are missing; otherwise a path through one that is
            not there stays unverified.
    """

    def verify(matrix: Matrix, stops: tuple[str, ...], scenarios: tuple[str, ...]) -> Detour:
        places = [_place(matrix, stop) for stop in stops]
        if not build and not all(_is_there(place, site) for place in places):
            return Detour(stops)
        with Lab(site) as lab:
            for scenario in scenarios:
                detail = _travel(lab, places, scenario)
                if detail:
                    return Detour(stops, verified=False, detail=detail)
        return Detour(stops, verified=True)

    return verify


def _travel(lab: Lab, places: list[Environment], scenario: str) -> str:
    """Go the whole way with one checkpoint; gives what went wrong, empty if nothing did."""
    if scenario not in lab.site.config.scenarios:
        return f"there is no scenario {scenario} in matrix.toml"
    first, *between, last = places
    if not lab.registry.installed(first).ready:
        return f"{first.short}: {lab.registry.installed(first).record.reason}"
    written = lab.registry.written(first, scenario)
    if written.record.status == CheckpointStatus.UNSUPPORTED:
        return ""
    if written.record.status != CheckpointStatus.WRITTEN:
        return f"{first.short} wrote no checkpoint: {written.record.reason}"
    with folder_in(temporary_folder()) as folder:
        # The kept checkpoint stays as it is: what is saved again goes beside a copy.
        directory = folder / written.directory.name
        shutil.copytree(written.directory, directory)
        for stop in between:
            wrong = _load(lab, first, stop, scenario, written, directory, AGAIN)
            if wrong:
                return wrong
            directory = directory.with_name(directory.name + ".again")
        plain = lab.site.config.loaders["accelerate"]
        return _load(lab, first, last, scenario, written, directory, plain)


def _load(
    lab: Lab,
    writer: Environment,
    reader: Environment,
    scenario: str,
    written: Written,
    directory: Path,
    loader: str,
) -> str:
    """Load at one stop and judge; gives what was not exact."""
    if not lab.registry.installed(reader).ready:
        return f"{reader.short}: {lab.registry.installed(reader).record.reason}"
    plain = lab.loading(Cell(writer, reader, scenario), written)
    case = replace(plain.case, directory=str(directory))
    try:
        record = replace(plain, case=case, loader=loader).outcome()
    except HarnessError as error:
        return error.message
    if record.status in (Status.EXACT, Status.UNSUPPORTED):
        return ""
    return f"{scenario} in {reader.short} is {record.status}: {summary(record)}"


def _is_there(place: Environment, site: Site) -> bool:
    if site.config.stack(place.stack) is None:
        return False
    found = building.find_installation(place, site)
    return bool(found and found.ready)


def _place(matrix: Matrix, id_: str) -> Environment:
    record = matrix.environments[id_]
    return Environment(record.accelerate, record.stack)
