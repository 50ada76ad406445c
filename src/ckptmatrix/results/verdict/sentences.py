"""The verdict in sentences; every text of it comes from here."""

from collections.abc import Iterator, Mapping

from ckptmatrix.model import EnvironmentRecord, Matrix
from ckptmatrix.model.severity import bases, by_severity
from ckptmatrix.results.findings.detours import Detour
from ckptmatrix.results.verdict.choices import Choice
from ckptmatrix.results.verdict.crossing import Crossing, Judged
from ckptmatrix.results.verdict.losses import Fate, fates_of
from ckptmatrix.results.verdict.staying import Against, is_measured
from ckptmatrix.results.verdict.upgrade import Headline, Upgrade

MESSAGE_LENGTH = 160
"""Characters of an exception's message."""

NAMED = 6
"""So many scenarios are named; of more, the first and the number are given."""


def headline(upgrade: Upgrade) -> str:
    """Answer in one line, which a reader may stop at."""
    aim = "everything resumes exactly" if upgrade.exact else "nothing gets worse"
    match upgrade.headline:
        case Headline.GO:
            return f"Go. {aim.capitalize()}."
        case Headline.GO_IF:
            return f"Go, if you do this first: {what_first(upgrade)}."
        case Headline.DONT:
            some = len(upgrade.choices) > 1 or upgrade.detour is not None
            helps = "what was measured helps only in part" if some else "nothing measured helps"
            broken = "not everything resumes exactly" if upgrade.exact else "it breaks"
            return f"Don't: {broken}, and {helps}."
        case Headline.NOT_MEASURED:
            return f"Not measured: {_unknown(upgrade.forward)}."


def what_first(upgrade: Upgrade) -> str:
    """Name what has to be done first."""
    if upgrade.first is None:
        return "go a way round"
    title = upgrade.first.title
    return title[0].lower() + title[1:]


def loss(upgrade: Upgrade) -> str:
    """Say in a sentence or two what the upgrade costs, the worst first; empty if nothing is known.

    Of one scenario what comes back and what does not; of several how many lose what.
    """
    forward = upgrade.forward
    if not forward.measured:
        return ""
    if len(forward.judged) == 1:
        return _loss_of(forward.measured[0], forward, upgrade.matrix)
    if not forward.worse:
        return counts(forward)
    lose = [(len(one.hurt), f"lose {one.severity}") for one in fates_of(forward)]
    worse = _made_worse(forward)
    lose.append((sum(bool(one.raised) for one in worse), "fail"))
    lose.append((sum(one.drifts for one in worse), "go on otherwise"))
    told = ", ".join(f"{count} {what}" for count, what in lose if count)
    return f"{len(worse)} of {len(forward.measured)} trainings get worse: {told}."


def details(upgrade: Upgrade) -> Iterator[tuple[str, str]]:
    """Give what is known of the upgrade itself: a label, and what it says; choices apart."""
    forward, causes = upgrade.forward, upgrade.matrix.causes
    if upgrade.headline is Headline.NOT_MEASURED and not forward.worse:
        return
    if loss(upgrade) != (against := counts(forward)):
        yield "against staying", against
    if back := comes_back(forward):
        yield "comes back", "; ".join(back)
    for text in is_lost(forward):
        yield "is lost", text
    if drift := differs(forward):
        yield "goes on otherwise", f"{drift}: all comes back, the training after it differs"
    for text in raises(forward):
        yield "fails", text
    if upgrade.named and (unsaved := never_saved(forward)):
        yield "never saved", unsaved
    for id_, names in forward.causes.items():
        if id_ in causes:
            yield "because", f"{causes[id_].title}{where(names, forward)}"
            yield "advice", causes[id_].remedy
    if today := also_today(forward):
        yield "not its doing", today


def ends(upgrade: Upgrade) -> str:
    """Name the change: `accelerate 0.33.0 on torch2.4-np1 -> 1.15.0 on torch2.15-np2`."""
    return between(upgrade.matrix, upgrade.forward)


def between(matrix: Matrix, crossing: Crossing) -> str:
    """Name a change of environment, the stack once if it stays."""
    old, new = matrix.environments[crossing.writer], matrix.environments[crossing.reader]
    if old.stack == new.stack:
        return f"accelerate {old.accelerate} -> {new.accelerate} on {new.stack}"
    return f"accelerate {old.accelerate} on {old.stack} -> {new.accelerate} on {new.stack}"


def counts(crossing: Crossing) -> str:
    """Count against staying: `45 measured: 0 worse, 1 better (basic), 44 the same; ...`.

    Of one scenario alone, say what it was and what it is: `worse: exact before, degraded after`.
    """
    if len(crossing.judged) == 1 and (measured := crossing.measured):
        [one] = measured
        before = one.stay.status if is_measured(one.stay) else "not measured"
        after = one.now.status if one.now else ""
        cause = ", by another cause" if one.against is Against.OTHER else ""
        word = Against.SAME if one.against is Against.OTHER else one.against
        return f"{word}: {before} before, {after} after{cause}"
    worse, better = crossing.worse, crossing.of(Against.BETTER)
    same, other = crossing.of(Against.SAME), crossing.of(Against.OTHER)
    alike = f"{len(same) + len(other)} the same"
    if other:
        alike += f" ({len(other)} by another cause: {named(other)})"
    said = f"{len(crossing.measured)} measured: {_counted(worse, 'worse')}"
    said += f", {_counted(better, 'better')}, {alike}"
    left = crossing.of(Against.NOT_MEASURED)
    return f"{said}; {len(left)} not measured" if left else said


def comes_back(crossing: Crossing) -> tuple[str, ...]:
    """Say of each group of components in how many scenarios all of it comes back."""
    return tuple(_share(fate) for fate in fates_of(crossing) if fate.back)


def is_lost(crossing: Crossing) -> tuple[str, ...]:
    """Say of each group what of it is lost in silence by the change, and where."""
    return tuple(
        f"{fate.severity} ({', '.join(names)}){where(places, crossing)}"
        for fate in fates_of(crossing)
        for names, places in _alike(fate.newly_lost).items()
    )


def never_saved(crossing: Crossing) -> str:
    """Name what the checkpoints never held, so that nothing brings it back; may be empty."""
    return ", ".join(name for fate in fates_of(crossing) for name in fate.unsaved)


def raises(crossing: Crossing) -> tuple[str, ...]:
    """Say how the loads fail that the change makes fail, and where."""
    texts = {one.scenario: shortened(one.raised) for one in _made_worse(crossing) if one.raised}
    return tuple(f"{text}{where(names, crossing)}" for text, names in grouped(texts).items())


def differs(crossing: Crossing) -> str:
    """Name the scenarios in which all comes back, and the training goes on otherwise."""
    return named(tuple(one.scenario for one in _made_worse(crossing) if one.drifts))


def where(names: tuple[str, ...], crossing: Crossing) -> str:
    """Say in which scenarios; nothing where only one was asked for."""
    if len(crossing.judged) == 1:
        return ""
    everywhere = len(names) == len(crossing.measured) > 1
    return " in every scenario measured" if everywhere else f" in {named(names)}"


def also_today(crossing: Crossing) -> str:
    """Say what is not whole without the change either; empty if all of it is."""
    names = crossing.as_before
    if not names:
        return ""
    verb = "is" if len(names) == 1 else "are"
    return f"{named(names)} {verb} not whole with what you have either"


def not_measured(crossing: Crossing) -> dict[str, tuple[str, ...]]:
    """Give reason -> scenarios of which nothing can be said."""
    return grouped({o.scenario: o.why_not_measured for o in crossing.judged if o.why_not_measured})


def outcome(choice: Choice) -> str:
    """Say what a choice makes of the scenarios asked for, in a few words."""
    crossing = choice.chosen
    measured, exact = len(crossing.measured), len(crossing.exact)
    if measured == 1:
        return "resumes exactly" if exact else _one(crossing.measured[0])
    return f"{exact} of {measured} resume exactly"


def worse_of(choice: Choice) -> str:
    """Count what a choice makes worse of every scenario of the run: `2 of 43 (numpy-lr, ...)`."""
    worse, of = choice.everything.worse, len(choice.everything.measured)
    return f"{len(worse)} of {of} ({named(worse)})" if worse else f"0 of {of}"


def way_back(upgrade: Upgrade) -> str:
    """Say whether one could go back, compared with staying in the new environment."""
    back = upgrade.back
    if not back.measured:
        return f"not measured: {_unknown(back)}"
    if len(back.exact) == len(back.measured) == len(back.judged):
        return "resumes exactly" if len(back.judged) == 1 else "everything resumes exactly"
    if not back.worse:
        return f"nothing gets worse by going back ({counts(back)})"
    said = [f"{len(back.worse)} of {len(back.measured)} get worse by going back"]
    said += [*raises(back), *(f"lost: {one}" for one in is_lost(back))]
    drift = differs(back)
    return "; ".join([*said, *([f"goes on otherwise: {drift}"] if drift else [])])


def detour_text(matrix: Matrix, detour: Detour) -> str:
    """Say how to go round: `load in ..., save again there, then load in ...`."""
    _, *stops, last = (environment(matrix.environments[stop]) for stop in detour.stops)
    steps = [f"load in {stop} and save again there" for stop in stops]
    proof = {
        True: "verified by a real run of these hops",
        False: f"a real run of these hops did not confirm it: {detour.detail}",
        None: "each hop measured on its own, the whole way not yet run",
    }[detour.verified]
    way = ", then ".join([*steps, f"load in {last}"])
    return f"{way}: exact in {named(detour.scenarios)} ({proof})"


def environment(record: EnvironmentRecord) -> str:
    """Name an environment: `accelerate 0.33.0 on torch2.15-np2`."""
    return f"accelerate {record.accelerate} on {record.stack}"


def named(names: tuple[str, ...]) -> str:
    """Name scenarios: one by one if they are few, else the first ones and how many more."""
    if len(names) <= NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: NAMED - 1])} and {len(names) - NAMED + 1} more"


def shortened(message: str) -> str:
    """Cut a message that is too long to be read; the detail of a cell has it whole."""
    if len(message) <= MESSAGE_LENGTH:
        return message
    return f"{message[: MESSAGE_LENGTH - 1].rstrip()}…"


def grouped(texts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Put scenarios with the same text together: scenario -> text becomes text -> scenarios."""
    groups: dict[str, tuple[str, ...]] = {}
    for name, text in texts.items():
        groups[text] = (*groups.get(text, ()), name)
    return groups


def _loss_of(one: Judged, crossing: Crossing, matrix: Matrix) -> str:
    if one.exact:
        return "Everything comes back, and the training goes on as if never interrupted."
    cause = matrix.causes.get(one.now.cause or "") if one.now else None
    because = f" Because: {cause.title.rstrip('.')}." if cause else ""
    if one.raised:
        return f"The load fails: {shortened(one.raised)}{because and '.'}{because}"
    back = "; ".join(comes_back(crossing))
    said = f"{back[0].upper()}{back[1:]} come back" if back else "Nothing comes back whole"
    if one.drifts:
        return f"{said}, and the training after it differs.{because}"
    groups = by_severity(one.lost).items()
    lost = "; ".join(f"{group} ({', '.join(bases(names))})" for group, names in groups)
    return f"{said}. Lost, and no error says so: {lost}.{because}"


def _made_worse(crossing: Crossing) -> tuple[Judged, ...]:
    return tuple(one for one in crossing.judged if one.against is Against.WORSE)


def _counted(names: tuple[str, ...], word: str) -> str:
    return f"{len(names)} {word} ({named(names)})" if names else f"0 {word}"


def _share(fate: Fate) -> str:
    if len(fate.of) == len(fate.back):
        return f"{fate.severity}" if len(fate.of) == 1 else f"{fate.severity} in all {len(fate.of)}"
    return f"{fate.severity} in {len(fate.back)} of {len(fate.of)}"


def _alike(lost: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Put components together that are lost in the same scenarios: components -> scenarios."""
    groups: dict[tuple[str, ...], tuple[str, ...]] = {}
    for where in dict.fromkeys(lost.values()):
        groups[tuple(name for name, places in lost.items() if places == where)] = where
    return groups


def _one(judged: Judged) -> str:
    if judged.raised:
        return f"fails: {shortened(judged.raised)}"
    lost = ", ".join(bases(judged.lost))
    return f"loses {lost}" if lost else "comes back, but goes on otherwise"


def _unknown(crossing: Crossing) -> str:
    reasons = not_measured(crossing)
    return "; ".join(f"{named(where)}: {why}" for why, where in reasons.items()) or "no scenario"
