"""Findings in plain sentences; every text of a verdict comes from here."""

from collections.abc import Iterable, Mapping

from ckptmatrix.model import Matrix
from ckptmatrix.results.findings.advice import Advice, Remedy
from ckptmatrix.results.findings.crossing import Crossing, Safety
from ckptmatrix.results.findings.detours import Detour
from ckptmatrix.results.findings.newest import PLAIN
from ckptmatrix.results.findings.tally import Rank

MESSAGE_LENGTH = 160
"""Characters of an exception's message in a verdict."""

NAMED = 6
"""So many scenarios are named; of more only the number is given."""


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
    if crossing.answer is Safety.UNKNOWN:
        why = next(iter(crossing.unmeasured.values()), "no scenario")
        return f"Not measured: nothing is known of {ways} ({why.rstrip('.')})."
    if crossing.answer is Safety.SAFE:
        return f"Safe: {ways} resumes exactly in {of_measured(crossing.measured, crossing)}."
    hurt = []
    if crossing.raised:
        hurt.append(f"fails in {len(crossing.raised)}")
    silent = len(silent_scenarios(crossing))
    if silent:
        hurt.append(f"silently loses state in {silent}")
    measured = scenarios(crossing.measured, "measured ")
    return f"Not safe: {ways} {' and '.join(hurt)} of {measured}."


def decision(matrix: Matrix, advice: Advice) -> str:
    """Give the verdict on an upgrade in one sentence that also says whether it is to blame."""
    sentence = verdict(matrix, advice.forward)
    if not advice.as_before:
        return sentence
    if not advice.by_upgrade:
        return sentence.replace("Not safe:", "Not safe, but no worse than staying:", 1)
    before, hurt = len(advice.as_before), len(advice.forward.hurt)
    return (
        f"{sentence.removesuffix('.')}; {before} of these {hurt} are no better without the upgrade."
    )


def plain_training(crossing: Crossing) -> str:
    """Say what becomes of the scenario that every training has at least; empty if it was not asked.

    Among many scenarios are some that no release resumes, so the worst of all says little.
    """
    if crossing.total == 1 or PLAIN not in crossing.ranks:
        return ""
    if crossing.ranks[PLAIN] is Rank.EXACT:
        return f"resumes exactly (scenario {PLAIN})"
    if PLAIN in crossing.raised:
        return f"fails: {shortened(crossing.raised[PLAIN])} (scenario {PLAIN})"
    lost = [name for name, where in crossing.lost.items() if PLAIN in where]
    if lost:
        return f"silently loses {', '.join(lost)} (scenario {PLAIN})"
    return f"comes back whole, but goes on otherwise (scenario {PLAIN})"


def shortened(message: str) -> str:
    """Cut a message that is too long to be read; the detail of a cell has it whole."""
    if len(message) <= MESSAGE_LENGTH:
        return message
    return f"{message[: MESSAGE_LENGTH - 1].rstrip()}…"


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
    parts = [
        f"{word} in {', '.join(names)}"
        for word, names in (("worse", advice.worse), ("better", advice.better))
        if names
    ]
    if not parts:
        return "no different: what is lost or fails does so without the upgrade as well"
    alike = len(advice.worse) + len(advice.better) < advice.forward.measured
    return "; ".join(parts) + ("; else the same" if alike else "")


def remedy_text(remedy: Remedy) -> str:
    """Say what another way to load brings: `With ckptmatrix.resume: 7 of the 8 scenarios that ...`.

    The scenarios that it makes exact are named where they are few.
    """
    count, title = len(remedy.makes_exact), remedy.view.title
    harms = f"; but no longer exact in {', '.join(remedy.harms)}" if remedy.harms else ""
    if count == remedy.of:
        return f"{title}: every scenario that is not exact without it resumes exactly{harms}"
    which = f" ({', '.join(remedy.makes_exact)})" if count <= NAMED else ""
    return (
        f"{title}: {count} of the {remedy.of} scenarios that are not exact without it "
        f"resume exactly{which}{harms}"
    )


def grouped_by_text(texts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Put scenarios with the same text together: scenario -> text becomes text -> scenarios."""
    groups: dict[str, tuple[str, ...]] = {}
    for name, text in texts.items():
        groups[text] = (*groups.get(text, ()), name)
    return groups


def detour_text(matrix: Matrix, detour: Detour, crossing: Crossing) -> str:
    """Say how to go round: `load in ..., save again there, then load in ...`."""
    _, *between, last = (environment(matrix, stop) for stop in detour.stops)
    steps = [f"load in {stop} and save again there" for stop in between]
    proof = {
        True: "verified by a real run of these hops",
        False: f"a real run of these hops did not confirm it: {detour.detail}",
        None: "each hop measured on its own, the whole way not yet run",
    }[detour.verified]
    count = len(detour.scenarios)
    whole = (
        "every scenario" if count == crossing.total else f"{count} of {crossing.total} scenarios"
    )
    way = ", then ".join([*steps, f"load in {last}"])
    return f"{way}: exact in {whole} ({proof})"


def advice_lines(matrix: Matrix, advice: Advice) -> Iterable[str]:
    """Give the whole advice as lines of text, the verdict first.

    Where many scenarios are judged, only those have all details that the upgrade makes worse; the
    others, which are no better without it, take one line for each cause.
    """
    forward = advice.forward
    yield decision(matrix, advice)
    if plain := plain_training(forward):
        yield f"  a plain training   {plain}"
    if forward.answer is Safety.UNSAFE and advice.stay.answer is not Safety.UNKNOWN:
        yield f"  against staying    {against_staying(advice)}"
    if forward.whole:
        yield f"  comes back whole   {', '.join(forward.whole)}"
    full = set(forward.hurt if forward.total == 1 else advice.by_upgrade)
    yield from _in_full(matrix, advice, full)
    before = _as_before(matrix, advice, full)
    for title, names in before.items():
        yield f"  not its doing      {', '.join(names)}: {title}"
    if before:
        yield "  what to do there   ask for one with --scenario NAME"
    for why, where in grouped_by_text(forward.unmeasured).items():
        yield f"  not measured       {', '.join(where)}: {why}"
    for remedy in advice.remedies:
        yield f"  measured remedy    {remedy_text(remedy)}"
    if advice.detour is not None:
        yield f"  a way round        {detour_text(matrix, advice.detour, forward)}"
    yield f"  the way back       {verdict(matrix, advice.back)}"


def _in_full(matrix: Matrix, advice: Advice, full: set[str]) -> Iterable[str]:
    """Say all about some scenarios: what is lost, how they fail, why, and what to do."""
    forward = advice.forward
    for (where, also), names in _alike(advice, full).items():
        blame = " (lost without the upgrade as well)" if also else ""
        yield f"  lost silently      {', '.join(names)} in {_where(where, forward)}{blame}"
    drifts = tuple(name for name in forward.drifts if name in full)
    if drifts:
        which = ", ".join(drifts)
        yield f"  differs afterwards {which}: all came back, the training after it differs"
    raised = {name: text for name, text in forward.raised.items() if name in full}
    for message, where in grouped_by_text(raised).items():
        yield f"  fails              {shortened(message)} in {_where(where, forward)}"
    for id_ in dict.fromkeys(forward.because[n] for n in forward.because if n in full):
        cause = matrix.causes.get(id_)
        if cause is not None:
            yield f"  because            {cause.title}"
            yield f"  remedy             {cause.remedy}"


def _as_before(matrix: Matrix, advice: Advice, full: set[str]) -> dict[str, tuple[str, ...]]:
    """Put the scenarios that are not given in full together by cause: title -> scenarios."""
    titles = {}
    for name in advice.as_before:
        if name not in full:
            cause = matrix.causes.get(advice.forward.because.get(name, ""))
            titles[name] = cause.title if cause else "fits no known cause"
    return grouped_by_text(titles)


def _alike(advice: Advice, full: set[str]) -> dict[tuple[tuple[str, ...], bool], list[str]]:
    """Put components together that are lost in the same of some scenarios."""
    groups: dict[tuple[tuple[str, ...], bool], list[str]] = {}
    for name, where in advice.forward.lost.items():
        chosen = tuple(scenario for scenario in where if scenario in full)
        also = all(name in advice.stay.losses(scenario) for scenario in chosen)
        if chosen:
            groups.setdefault((chosen, also), []).append(name)
    return groups


def _where(names: tuple[str, ...], crossing: Crossing) -> str:
    if len(names) == crossing.measured:
        return "every scenario measured" if len(names) > 1 else names[0]
    return ", ".join(names)
