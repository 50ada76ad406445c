"""Findings in plain sentences; every text of a verdict comes from here."""

from collections.abc import Iterable, Mapping

from ckptmatrix.findings.paths import Path
from ckptmatrix.findings.upgrade import Advice, Answer, Crossing, Remedy
from ckptmatrix.model import Matrix


def environment(matrix: Matrix, id_: str) -> str:
    """Name an environment: `accelerate 0.33.0 on torch2.13-np2`."""
    record = matrix.environments[id_]
    return f"accelerate {record.accelerate} on {record.stack}"


def between(matrix: Matrix, writer: str, reader: str) -> str:
    """Name a change of environment: `accelerate 0.33.0 into 1.15.0 on torch2.13-np2`."""
    old, new = matrix.environments[writer], matrix.environments[reader]
    if old.stack == new.stack:
        return f"accelerate {old.accelerate} into {new.accelerate} on {new.stack}"
    return f"accelerate {old.accelerate} on {old.stack} into {new.accelerate} on {new.stack}"


def verdict(matrix: Matrix, crossing: Crossing) -> str:
    """Answer in one sentence whether checkpoints of one environment resume in another."""
    ways = between(matrix, crossing.writer, crossing.reader)
    if crossing.answer is Answer.UNKNOWN:
        why = next(iter(crossing.unmeasured.values()), "no scenario")
        return f"Not measured: nothing is known of {ways} ({why.rstrip('.')})."
    if crossing.answer is Answer.SAFE:
        return f"Safe: {ways} resumes exactly in {of_measured(crossing.measured, crossing)}."
    hurt = []
    if crossing.raised:
        hurt.append(f"fails in {len(crossing.raised)}")
    silent = len(silent_scenarios(crossing))
    if silent:
        hurt.append(f"silently loses state in {silent}")
    measured = scenarios(crossing.measured, "measured ")
    return f"Not safe: {ways} {' and '.join(hurt)} of {measured}."


def of_measured(count: int, crossing: Crossing) -> str:
    """Give a count with its denominator: `all 9 scenarios`, `7 of 9 scenarios, 2 not measured`."""
    if crossing.measured == crossing.total:
        return f"all {scenarios(count)}" if count > 1 else f"the one scenario ({count} of 1)"
    left = crossing.total - crossing.measured
    return f"{count} of {scenarios(crossing.total)}; {left} not measured"


def silent_scenarios(crossing: Crossing) -> tuple[str, ...]:
    """Name the scenarios in which the load returned and something is not right."""
    hurt = [name for names in crossing.lost.values() for name in names]
    return tuple(dict.fromkeys([*hurt, *crossing.drifts]))


def scenarios(count: int, kind: str = "") -> str:
    """Count scenarios in words."""
    return f"{count} {kind}scenario" if count == 1 else f"{count} {kind}scenarios"


def against_staying(advice: Advice) -> str:
    """Say whether the upgrade is to blame: `worse in tied-weights, else the same`."""
    told = [
        f"{word} in {', '.join(names)}"
        for word, names in (("worse", advice.worse), ("better", advice.better))
        if names
    ]
    if not told:
        return "no different: what is lost or fails does so without the upgrade as well"
    alike = len(advice.worse) + len(advice.better) < advice.forward.measured
    return "; ".join(told) + ("; else the same" if alike else "")


def remedy_text(remedy: Remedy, crossing: Crossing) -> str:
    """Say what another way to load brings: `With ckptmatrix.resume: 7 of 8 ..., without it 3`."""
    if remedy.exact == remedy.measured:
        return f"{remedy.view.title}: every measured scenario resumes exactly"
    of = f"{remedy.exact} of {scenarios(remedy.measured, 'measured ')}"
    return f"{remedy.view.title}: exact in {of}, without it in {crossing.exact}"


def by_value(told: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Put scenarios together of which the same is told."""
    groups: dict[str, tuple[str, ...]] = {}
    for name, value in told.items():
        groups[value] = (*groups.get(value, ()), name)
    return groups


def path_text(matrix: Matrix, path: Path, crossing: Crossing) -> str:
    """Say how to go round: `load in ..., save again there, then load in ...`."""
    _, *between, last = (environment(matrix, stop) for stop in path.stops)
    steps = [f"load in {stop} and save again there" for stop in between]
    proof = {
        True: "verified by a real run of these hops",
        False: f"a real run of these hops did not confirm it: {path.detail}",
        None: "each hop measured on its own, the whole way not yet run",
    }[path.verified]
    count = len(path.scenarios)
    whole = (
        "every scenario" if count == crossing.total else f"{count} of {crossing.total} scenarios"
    )
    way = ", then ".join([*steps, f"load in {last}"])
    return f"{way}: exact in {whole} ({proof})"


def advice_lines(matrix: Matrix, advice: Advice) -> Iterable[str]:
    """Give the whole advice as lines of text, the verdict first."""
    forward = advice.forward
    yield verdict(matrix, forward)
    if forward.answer is Answer.UNSAFE and advice.stay.answer is not Answer.UNKNOWN:
        yield f"  against staying    {against_staying(advice)}"
    if forward.whole:
        yield f"  comes back whole   {', '.join(forward.whole)}"
    for (where, also), names in _alike(advice).items():
        blame = " (lost without the upgrade as well)" if also else ""
        yield f"  lost silently      {', '.join(names)} in {_where(where, forward)}{blame}"
    for scenario in forward.drifts:
        yield f"  differs afterwards {scenario}: all came back, the training after it differs"
    for message, where in by_value(forward.raised).items():
        yield f"  fails              {message} in {_where(where, forward)}"
    for why, where in by_value(forward.unmeasured).items():
        yield f"  not measured       {', '.join(where)}: {why}"
    for id_ in forward.causes:
        cause = matrix.causes.get(id_)
        if cause is not None:
            yield f"  because            {cause.title}"
            yield f"  remedy             {cause.remedy}"
    for remedy in advice.remedies:
        yield f"  measured remedy    {remedy_text(remedy, forward)}"
    if advice.path is not None:
        yield f"  a way round        {path_text(matrix, advice.path, forward)}"
    yield f"  the way back       {verdict(matrix, advice.back)}"


def _alike(advice: Advice) -> dict[tuple[tuple[str, ...], bool], list[str]]:
    """Put components together that are lost in the same scenarios."""
    groups: dict[tuple[tuple[str, ...], bool], list[str]] = {}
    for name, where in advice.forward.lost.items():
        groups.setdefault((where, name in advice.already), []).append(name)
    return groups


def _where(names: tuple[str, ...], crossing: Crossing) -> str:
    if len(names) == crossing.measured:
        return "every scenario measured" if len(names) > 1 else names[0]
    return ", ".join(names)
