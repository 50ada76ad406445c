"""Matrices made from rules, for sizes and shapes that no committed run has.

The rules follow what accelerate's releases are known to do, closely enough that regions, eras and
sizes come out as in a real run. Nothing outside the tests may use them: a report shows what was
measured.
"""
# ruff: noqa: SIM905 (sixty quoted versions are harder to read than one line of words)

from dataclasses import dataclass

from packaging.version import Version

from ckptmatrix.model import (
    Cause,
    CellRecord,
    CheckpointRecord,
    CheckpointStatus,
    ControlRecord,
    ControlsResult,
    Device,
    Difference,
    Environment,
    EnvironmentRecord,
    EnvironmentStatus,
    ErrorRecord,
    FirstDifference,
    Matrix,
    Resume,
    RunRecord,
    Status,
    Treatment,
    Verdict,
)

ERAS = (
    "0.14.0 0.15.0 0.20.3 0.24.1 0.25.0 0.31.0 0.32.1 0.33.0 0.34.2 1.0.1 1.1.1 1.4.0 1.8.1 "
    "1.14.0 1.15.0"
).split()
FULL = (
    "0.10.0 0.11.0 0.12.0 0.13.0 0.13.1 0.13.2 0.14.0 0.15.0 0.16.0 0.17.0 0.17.1 0.18.0 0.19.0 "
    "0.20.0 0.20.1 0.20.2 0.20.3 0.21.0 0.22.0 0.23.0 0.24.0 0.24.1 0.25.0 0.26.0 0.26.1 0.27.0 "
    "0.27.1 0.27.2 0.28.0 0.29.0 0.29.1 0.29.2 0.29.3 0.30.0 0.30.1 0.31.0 0.32.0 0.32.1 0.33.0 "
    "0.34.0 0.34.1 0.34.2 1.0.0 1.0.1 1.1.0 1.1.1 1.2.0 1.2.1 1.3.0 1.4.0 1.5.0 1.6.0 1.7.0 1.8.0 "
    "1.8.1 1.9.0 1.10.0 1.10.1 1.11.0 1.12.0 1.13.0 1.14.0 1.15.0"
).split()
STACKS = {
    "torch2.4-np1": ("2.4.1+cpu", "1.26.4"),
    "torch2.15-np1": ("2.15.0", "1.26.4"),
    "torch2.15-np2": ("2.15.0", "2.4.6"),
}
SCENARIOS = (
    "basic accumulation tied-weights numpy-in-custom two-models fp16-scaler seedable-sampler "
    "stateful-dataloader hooks"
).split()
COMPONENTS = (
    "model optimizer scheduler dataloader rng.python rng.numpy rng.torch step custom".split()
)
RNG = ("rng.python", "rng.numpy", "rng.torch")

CAUSES = {
    "unguarded-step": Cause(
        "KeyError: 'step' on every resume",
        "These releases read the step from the random states, and do not notice that reading them "
        "failed.",
        "Use accelerate 0.34.0 or newer, or ckptmatrix.resume.",
        ("https://github.com/huggingface/accelerate/issues/2924",),
    ),
    "weights-only-flip": Cause(
        "Random states are dropped in silence",
        "torch 2.6 refuses the numpy array in random_states_0.pkl; accelerate logs it at INFO and "
        "goes on.",
        "Use accelerate 1.1.0 or newer, or ckptmatrix.resume.",
        ("https://github.com/huggingface/accelerate/issues/4283",),
    ),
    "numpy-major": Cause(
        "Random states of another numpy major version are dropped",
        "The pickle names a module that was renamed in numpy 2, and only one spelling is allowed.",
        "Repair the checkpoint, or load it with ckptmatrix.resume.",
    ),
    "no-safetensors": Cause(
        "The reader does not look for model.safetensors",
        "Releases before 0.25.0 look for pytorch_model.bin only.",
        "Save with safe_serialization=False before going back.",
        ("https://github.com/huggingface/accelerate/pull/2120",),
    ),
}


@dataclass(frozen=True)
class Side:
    """One environment with its versions parsed."""

    environment: Environment
    release: Version
    torch: Version
    numpy: Version


def matrix(
    releases: list[str] = ERAS,
    scenarios: list[str] | None = None,
    views: tuple[tuple[str, str], ...] = (("accelerate", "as-saved"), ("ckptmatrix", "as-saved")),
    hostile: str = "",
) -> Matrix:
    """Make a matrix of all releases on all stacks.

    Args:
        releases: accelerate releases.
        scenarios: names; default `basic` alone.
        views: (loader, treatment) pairs.
        hostile: put into messages, file names and texts, to see whether they are escaped.
    """
    scenarios = scenarios or ["basic"]
    sides = [_side(release, stack) for stack in STACKS for release in releases]
    causes = dict(CAUSES)
    if hostile:
        causes["unguarded-step"] = Cause(
            hostile, hostile, hostile, ("javascript:alert(1)", hostile)
        )
    return Matrix(
        run=RunRecord(
            tool_version="0.1.0",
            started="2026-11-23T16:00:00Z",
            finished="2026-11-23T16:12:30Z",
            device=Device.CPU,
            platform="Linux-6.1-x86_64 / Python 3.11.7",
            tier="synthetic" + hostile,
            controls=ControlsResult.PASSED,
            measured=1000,
            newer=("1.16.0",),
        ),
        environments={side.environment.id: _record(side) for side in sides},
        checkpoints=tuple(
            _checkpoint(side, name, hostile)
            for side in sides
            if _available(side)
            for name in scenarios
        ),
        cells=tuple(
            _cell(writer, reader, scenario, view, hostile)
            for view in views
            for scenario in scenarios
            for writer in sides
            for reader in sides
        ),
        causes=causes,
        controls=tuple(
            ControlRecord(name, sides[-1].environment.id, scenario, True)
            for scenario in scenarios
            for name in ("null loader", "altered model", "twice")
        ),
    )


def _side(release: str, stack: str) -> Side:
    torch, numpy = STACKS[stack]
    return Side(Environment(release, stack), Version(release), Version(torch), Version(numpy))


def _available(side: Side) -> bool:
    refused = Version("0.32") <= side.release < Version("0.34") and side.numpy.major == 2
    return not refused


def _record(side: Side) -> EnvironmentRecord:
    environment = side.environment
    if not _available(side):
        return EnvironmentRecord(
            environment.accelerate,
            environment.stack,
            EnvironmentStatus.UNAVAILABLE,
            reason=f"accelerate {environment.accelerate} asks for numpy<2.0.0 itself.",
        )
    return EnvironmentRecord(
        environment.accelerate,
        environment.stack,
        EnvironmentStatus.READY,
        python="3.11.7",
        torch=str(side.torch),
        numpy=str(side.numpy),
        safetensors="0.8.0",
        packages=(f"accelerate=={environment.accelerate}", f"torch=={side.torch}"),
    )


def _checkpoint(side: Side, scenario: str, hostile: str) -> CheckpointRecord:
    weights = "model.safetensors" if side.release >= Version("0.25") else "pytorch_model.bin"
    keys = ["random_state", "numpy_random_seed", "torch_manual_seed"]
    if side.release >= Version("0.32"):
        keys.insert(0, "step")
    if side.release < Version("1.5"):
        keys.append("torch_cuda_manual_seed")
    files = {weights: 1480, "optimizer.bin": 3021, "random_states_0.pkl": 14408 - len(keys)}
    if side.release != Version("0.14") or side.torch < Version("2"):
        files["scheduler.bin"] = 1064
    if hostile:
        files[hostile] = 1
    return CheckpointRecord(
        side.environment.id,
        scenario,
        CheckpointStatus.WRITTEN,
        files=files,
        keys={"random_states_0.pkl": tuple(keys), weights: ("layer.weight", "layer.bias")},
        unsaved={} if side.release >= Version("0.32") else {"step": ("step",)},
        directory="name-000030-state",
        key="0" * 16,
    )


def _cell(
    writer: Side, reader: Side, scenario: str, view: tuple[str, str], hostile: str
) -> CellRecord:
    loader, treatment = view
    ends = (writer.environment.id, reader.environment.id)
    ids = (*ends, scenario, loader, Treatment(treatment))
    if not (_available(writer) and _available(reader)):
        return CellRecord(*ids, Status.NOT_RUN, reason="The environment could not be built.")
    if scenario == "stateful-dataloader" and min(writer.release, reader.release) < Version("0.34"):
        return CellRecord(*ids, Status.UNSUPPORTED, reason="StatefulDataLoader came with 0.34.0.")
    cause = _cause(writer, reader, scenario, loader)
    seconds = 0.04
    if cause is None:
        components = _components(writer, set())
        return CellRecord(
            *ids, Status.EXACT, components, Resume(True, None, 6), expected=True, seconds=seconds
        )
    if cause in ("unguarded-step", "no-safetensors"):
        error = (
            ErrorRecord("KeyError", "'step'" + hostile, _frames(reader))
            if cause == "unguarded-step"
            else ErrorRecord(
                "FileNotFoundError",
                "[Errno 2] No such file or directory: 'name-000030-state/pytorch_model.bin'",
                _frames(reader),
            )
        )
        return CellRecord(
            *ids, Status.FAILED, error=error, cause=cause, expected=True, seconds=seconds
        )
    lost = {*RNG, "step"} if writer.release >= Version("0.32") else set(RNG)
    return CellRecord(
        *ids,
        Status.DEGRADED,
        _components(writer, lost),
        Resume(False, FirstDifference(1, "rng.numpy", "0.4967", "0.1103"), 6),
        cause=cause,
        expected=True,
        seconds=seconds,
        swallowed=(
            ErrorRecord(
                "UnpicklingError",
                "Weights only load failed. Unsupported global: numpy.core.multiarray._reconstruct"
                + hostile,
            ),
        ),
        differences={
            name: Difference("0/state" + hostile, "3214" + hostile, "99", 624, 624)
            for name in sorted(lost)
        },
    )


def _cause(writer: Side, reader: Side, scenario: str, loader: str) -> str | None:
    strict = reader.torch >= Version("2.6")
    if loader == "ckptmatrix":
        return None
    if writer.release >= Version("0.25") > reader.release:
        return "no-safetensors"
    if Version("0.32") <= reader.release < Version("0.34"):
        if strict or writer.release < Version("0.32"):
            return "unguarded-step"
        return None
    if strict and reader.release < Version("1.1"):
        return "weights-only-flip"
    if reader.release >= Version("1.1") and writer.numpy.major != reader.numpy.major:
        return "numpy-major"
    if scenario == "numpy-in-custom" and strict and reader.release < Version("1.1"):
        return "weights-only-flip"
    return None


def _components(writer: Side, lost: set[str]) -> dict[str, Verdict]:
    verdicts = dict.fromkeys(COMPONENTS, Verdict.RESTORED)
    verdicts.update(dict.fromkeys(lost, Verdict.LOST))
    if writer.release < Version("0.32"):
        verdicts["step"] = Verdict.UNSAVED
    return verdicts


def _frames(reader: Side) -> str:
    line = 3000 + reader.release.minor
    return (
        f'  File "site-packages/accelerate/accelerator.py", line {line}, in load_state\n'
        '    self.step = override_attributes["step"]'
    )
