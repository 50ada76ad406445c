"""An inspection as text for a terminal; nothing of a file's content is taken for markup."""

import time
from collections.abc import Iterable
from pathlib import PurePath

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ckptmatrix.checkpoint.format.file_fact import Reading
from ckptmatrix.checkpoint.format.safety import Rating
from ckptmatrix.checkpoint.inspect.facts import Facts, ModelFact
from ckptmatrix.checkpoint.inspect.inspection import Inspection, oddities
from ckptmatrix.checkpoint.inspect.outlook import Prospect
from ckptmatrix.checkpoint.inspect.prediction import Prediction
from ckptmatrix.checkpoint.inspect.provenance import PACKAGES, About
from ckptmatrix.model import Status, Verdict
from ckptmatrix.util.terminal_text import clean

_STYLES = {
    Status.EXACT: "blue",
    Status.DEGRADED: "yellow",
    Status.FAILED: "bold red",
    Status.TIMEOUT: "bold red",
    Status.UNSUPPORTED: "dim",
    Status.NOT_RUN: "dim",
}
_FILE_LIMIT = 40
_READINGS = dict.fromkeys(Reading, "red") | {Reading.NOT_OPENED: "dim"}


def human(size: int) -> str:
    """Bytes as `158 MB`; decimal, as file managers and the tools of the trade show them."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{size} {unit}" if unit == "bytes" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def show(one: Inspection, console: Console) -> None:
    """Print one directory in full."""
    facts = one.facts
    console.print(Text(clean(facts.directory), style="bold"))
    sections: list[tuple[str, RenderableType]] = [
        ("Written by", Text(clean(one.stack.title))),
        ("Versions", _versions(one)),
        ("State", _state(facts)),
        ("Counts of steps", _counters(one)),
        ("Files", _files(facts)),
        ("Pickles", _pickles(one)),
        ("Problems", _lines(one.problems) if one.problems else Text("none seen")),
    ]
    if one.note:
        sections.insert(1, ("Note", Text(clean(one.note, 2000))))
    for title, body in sections:
        console.print(Text(title, style="bold cyan"))
        console.print(Padding(body, (0, 0, 0, 2)))
    if one.is_checkpoint:
        console.print(Text("What will happen when it is loaded", style="bold cyan"))
        console.print(Padding(outlook_table(one.outlook), (0, 0, 0, 2)))


def show_table(inspections: list[Inspection], console: Console) -> None:
    """Print several directories as a table, newest first, odd ones marked."""
    odd = oddities(inspections)
    common = _common([PurePath(one.facts.directory).parent for one in inspections])
    if common.parts:
        console.print(Text(f"in {clean(str(common))}", style="bold"))
    table = Table(box=box.SIMPLE, pad_edge=False)
    for head in ("", "directory", "written", "size", "step", "accelerate", "numpy", "stack", "odd"):
        table.add_column(head, overflow="fold")
    for one in newest_first(inspections):
        steps = [c.value for c in one.counters if c.name in ("step", "current_step", "global_step")]
        said = odd.get(one.facts.directory, "")
        table.add_row(
            Text("!" if said else " ", style="bold red"),
            Text(clean(one.facts.directory.removeprefix(f"{common}/"))),
            _date(one.facts.modified),
            human(one.facts.bytes),
            "/".join(dict.fromkeys(map(str, steps))) or "-",
            one.range(About.ACCELERATE) or "?",
            one.range(About.NUMPY) or "?",
            one.stack.id,
            Text(clean(said)),
        )
    console.print(table)


def _date(modified: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(modified)) if modified else "-"


def _common(parents: list[PurePath]) -> PurePath:
    """The folder that all of them lie in or below; empty if there is none."""
    first, *rest = parents
    below = (first, *first.parents)
    return next((p for p in below if all(o.is_relative_to(p) for o in rest)), PurePath())


def newest_first(inspections: Iterable[Inspection]) -> list[Inspection]:
    """The order of the table."""
    return sorted(inspections, key=lambda one: (-one.facts.modified, one.facts.directory))


def _lines(lines: Iterable[str]) -> Text:
    return Text("\n".join(clean(line) for line in lines))


def _versions(one: Inspection) -> Table:
    table = Table.grid(padding=(0, 2))
    for name in PACKAGES:
        found = one.range(name)
        because = "; ".join(e.because for e in one.evidence if e.about == name)
        table.add_row(name, found or "unknown", Text(clean(because), style="dim"))
    for item in one.evidence:
        if item.about not in PACKAGES:
            table.add_row(item.about, item.conclusion, Text(clean(item.because), style="dim"))
    return table


def _state(facts: Facts) -> Text:
    lines = [_model_line(model, f"model {model.index}") for model in facts.models]
    lines += [_model_line(model, "weights") for model in facts.nested[:20]]
    for optimizer in facts.optimizers:
        classes = " or ".join(optimizer.candidates) or "an optimizer of unknown class"
        rates = ", ".join(f"{rate:g}" for rate in dict.fromkeys(optimizer.learning_rates[:8]))
        lines.append(
            f"optimizer {optimizer.index}: {classes}, {optimizer.parameters} parameters in "
            f"{optimizer.groups} groups" + (f", learning rate {rates}" if rates else "")
        )
        if optimizer.learning_rates:
            lines.append(f"  {_rate_note(optimizer.learning_rates)}")
    for scheduler in facts.schedulers:
        classes = " or ".join(scheduler.candidates) or "a scheduler of unknown class"
        lines.append(f"scheduler {scheduler.index}: {classes}, last_epoch {scheduler.last_epoch}")
    for random in facts.random:
        lines.append(f"random states of rank {random.rank}: {', '.join(random.keys)}")
    if facts.custom:
        lines.append(f"custom objects: {len(facts.custom)}")
    if facts.scaler:
        lines.append("gradient scaler: yes (the run used fp16)")
    lines += [f"dataloader: {name}" for name in facts.samplers]
    return _lines(lines) if lines else Text("nothing that accelerate saves")


def _rate_note(rates: tuple[float, ...]) -> str:
    """What a saved learning rate does to a run that resumes."""
    if not any(rates):
        return "a learning rate of 0, as at the end of a schedule: a resume trains no further"
    return "loading it puts this learning rate in place of the one that the script sets"


def _model_line(model: ModelFact, label: str) -> str:
    kinds = ", ".join(f"{count} x {kind}" for kind, count in sorted(model.dtypes.items()))
    line = (
        f"{label}: {model.file}, {len(model.tensors)} tensors ({kinds}), {model.numel:,} elements"
    )
    if model.shared:
        line += f"; shared: {', '.join(' = '.join(group) for group in model.shared[:3])}"
    if model.extras:
        line += f"; not tensors: {', '.join(model.extras[:3])}"
    return line


def _counters(one: Inspection) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for counter in one.counters[:20]:
        table.add_row(
            Text(clean(counter.file)),
            Text(clean(counter.name)),
            str(counter.value),
            counter.meaning,
        )
    return table if one.counters else Text("none found")


def _files(facts: Facts) -> Group:
    table = Table.grid(padding=(0, 2))
    for file in facts.files[:_FILE_LIMIT]:
        said = "not opened" if file.reading is Reading.NOT_OPENED else clean(file.problem)
        table.add_row(
            Text(clean(file.name)), human(file.bytes), Text(said, style=_READINGS[file.reading])
        )
    rest = len(facts.files) - _FILE_LIMIT
    tail = [Text(f"... and {rest} more")] if rest > 0 else []
    return Group(table, *tail)


def _pickles(one: Inspection) -> Text:
    levels = one.globals
    text = Text()
    for file in one.facts.files:
        if file.reading is Reading.UNREAD:
            said = f"{Rating.DANGEROUS}: {clean(file.name)} was not read to its end\n"
            text.append(said, style="bold red")
    if not any(levels.values()) and not text:
        return Text("name no globals")
    for level, style in ((Rating.DANGEROUS, "bold red"), (Rating.UNKNOWN, "yellow")):
        for name, files in list(levels[level].items())[:20]:
            text.append(f"{level}: {clean(name)} in {clean(', '.join(files[:3]))}\n", style=style)
    text.append(f"{len(levels[Rating.HARMLESS])} harmless names")
    return text


def outcome_text(outcome: Prediction, mark: str = "") -> Text:
    """An outcome in a few words: its status, what is lost or the exception."""
    text = Text(str(outcome.status), style=_STYLES.get(outcome.status, ""))
    bad = [n for n, v in outcome.components.items() if v in (Verdict.LOST, Verdict.WRONG)]
    if outcome.status is Status.FAILED and outcome.raises:
        text.append(f": {outcome.raises.split('[')[0].strip(': ')}", style="not bold")
    elif bad and outcome.status is Status.DEGRADED:
        rng = [name for name in bad if name.startswith("rng.")]
        rest = [name for name in bad if name not in rng]
        text.append(f": {', '.join((['RNG'] if rng else []) + rest)} lost", style="not bold")
    elif outcome.status is Status.TIMEOUT:
        text.append(": never returns", style="not bold")
    elif outcome.status is Status.DEGRADED:
        text.append(": " + ", ".join(n for n, v in outcome.components.items() if v == "unsaved"))
    if mark:
        text.append(f" [{mark}]", style="dim")
    return text


def outlook_table(boxes: tuple[Prospect, ...]) -> Group:
    """One row for each box of versions, with the causes as notes below.

    Where the script's FSDP matters and is not known, it has a column of its own.
    """
    told_apart = any(prospect.fsdp for prospect in boxes)
    notes: dict[str, str] = {}
    table = Table(box=box.SIMPLE, pad_edge=False)
    for head in (
        *(["script uses"] if told_apart else []),
        "accelerate",
        "torch",
        "numpy",
        "outcome",
    ):
        table.add_column(head)
    last: tuple[str, str] = ("", "")
    for prospect in boxes:
        reason = prospect.outcome.reason
        mark = notes.setdefault(reason, str(len(notes) + 1)) if reason else ""
        script, releases = prospect.fsdp or "", str(prospect.accelerate)
        new = (script, releases) != last
        table.add_row(
            *([script if script != last[0] else ""] if told_apart else []),
            releases if new else "",
            str(prospect.torch),
            str(prospect.numpy),
            outcome_text(prospect.outcome, mark),
        )
        last = script, releases
    listed = Text("\n".join(f"[{number}] {clean(reason)}" for reason, number in notes.items()))
    return Group(table, listed)
