"""The command that measures some loads of a run again, and no others."""

import shlex
from collections.abc import Iterable, Sequence

from ckptmatrix.model import CellRecord, Device, Environment, Matrix, Treatment

MOST = 400
"""Characters of a command; where more would be needed it measures the first load alone."""


def command_for(matrix: Matrix, cells: Sequence[CellRecord]) -> str:
    """Give a command line for loads that were loaded in one way; `detail.js` gives that of one.

    It measures every writer of theirs with every reader of theirs, which may be a few loads more.

    Args:
        matrix: the run that has them; an environment that it does not describe goes by its id.
        cells: at least one.
    """
    command = _command(matrix, cells)
    return command if len(command) <= MOST else _command(matrix, cells[:1])


def _command(matrix: Matrix, cells: Sequence[CellRecord]) -> str:
    ends = {id_: matrix.environments.get(id_) for c in cells for id_ in (c.writer, c.reader)}
    short = {
        id_: Environment(record.accelerate, record.stack).short if record else id_
        for id_, record in ends.items()
    }
    records = [record for record in ends.values() if record is not None]
    [first, *_] = cells
    repaired = first.treatment is Treatment.REPAIRED
    expression = [
        _any(f"saved-{short[cell.writer]}" for cell in cells),
        _any(f"loaded-{short[cell.reader]}" for cell in cells),
        f"{Treatment.REPAIRED}" if repaired else f"not {Treatment.REPAIRED}",
    ]
    options = {
        "--accelerate": _list(record.accelerate for record in records),
        "--stack": _list(record.stack.partition("+")[0] for record in records),
        "--device": "both" if any(record.device is not Device.CPU for record in records) else "",
        "--scenario": _list(cell.scenario for cell in cells),
        "--loader": first.loader,
        "-k": " and ".join(expression),
    }
    told = " ".join(f"{name} {shlex.quote(value)}" for name, value in options.items() if value)
    return f"ckptmatrix run {told}"


def _any(names: Iterable[str]) -> str:
    found = list(dict.fromkeys(names))
    return found[0] if len(found) == 1 else f"({' or '.join(found)})"


def _list(names: Iterable[str]) -> str:
    return ",".join(dict.fromkeys(names))
