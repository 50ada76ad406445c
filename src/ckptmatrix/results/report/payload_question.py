"""What the page needs to understand a question: what versions stand for, and scenarios in words.

Which measured version stands for a typed one is decided in the page, by the facts that are worked
out here with the code that the command uses.
"""

from ckptmatrix.knowledge.trainings import grouped
from ckptmatrix.model import Device, RunRecord
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.findings.measured_how import measured_how
from ckptmatrix.results.findings.stacks import Factor
from ckptmatrix.results.verdict.asked import PINS
from ckptmatrix.results.verdict.gaps import PACKAGES, scale_of
from ckptmatrix.results.verdict.resolving import quality
from ckptmatrix.results.verdict.versions import TYPED


def question(index: LoadIndex) -> dict[str, object]:
    """Give the measured versions and what lies between them, stacks, and trainings."""
    axis, scenarios, run = index.axis, index.scenarios, index.matrix.run
    return {
        "measured": f"{run.finished[:10]} on {run.device}",
        "device": "; ".join((_device(run), *_ways(index))),
        "packages": PACKAGES,
        "typed": TYPED,
        "pins": PINS,
        "scales": {name: _scale(index, name) for name in PACKAGES},
        "stacks": [
            {factor: index.versions.get(stack, {}).get(factor, "") for factor in Factor}
            for stack in axis.stacks
        ],
        "newest": [axis.stacks.index(stack) for stack in axis.newest],
        "quality": [quality(index, id_) for id_ in axis.environments],
        "trainings": [
            [group.title, [[scenarios.index(name), text] for name, text in group.scenarios.items()]]
            for group in grouped(scenarios)
        ],
    }


def _device(run: RunRecord) -> str:
    name = f" ({run.device_name})" if run.device_name else ""
    if run.device is Device.CPU:
        return f"measured on the CPU{name}, {run.finished[:10]}; nothing of it on a GPU"
    return f"measured on {run.device}{name}, {run.finished[:10]}"


def _ways(index: LoadIndex) -> tuple[str, ...]:
    """How many trainings were measured in a way that has to be told."""
    ways = measured_how(index.matrix)
    return tuple(
        f"{len(names)} of {len(index.scenarios)} trainings {note}" for note, names in ways.items()
    )


def _scale(index: LoadIndex, package: str) -> dict[str, object]:
    scale = scale_of(index, package)
    gaps = (scale.gap(number) for number in range(len(scale.versions) - 1))
    return {
        "versions": scale.versions,
        "gaps": [(gap.how, gap.borders) for gap in gaps],
        "before": scale.before,
    }
