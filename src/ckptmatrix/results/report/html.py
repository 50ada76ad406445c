"""`index.html`: the page people decide from, one file that needs nothing else."""

from functools import cache, partial
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ckptmatrix.model import MEASURED
from ckptmatrix.results.findings.tally import GLYPHS, MEANINGS, WORST_FIRST, tally
from ckptmatrix.results.findings.views import TODAY
from ckptmatrix.results.report.grid import era_letter, grid_of
from ckptmatrix.results.report.lead import lead
from ckptmatrix.results.report.links import area_link, cell_link
from ckptmatrix.results.report.page import Page, scenarios_text
from ckptmatrix.results.report.payload import payload
from ckptmatrix.results.report.policy import content_security_policy, sizes_style
from ckptmatrix.results.report.written_files import era_contents
from ckptmatrix.util.terminal_text import plain

FILENAME = "index.html"
"""Name of the file in a report's directory."""

STYLES = ("base.css", "grid.css", "first.css", "detail.css")
"""Inlined in this order."""

SCRIPTS = (
    "data.js",
    "sums.js",
    "verdict.js",
    "sentences.js",
    "typed.js",
    "answer.js",
    "ask.js",
    "grid.js",
    "detail.js",
    "main.js",
)
"""Inlined in this order, as one script."""


def render(page: Page) -> bytes:
    """Give the page, UTF-8."""
    matrix, axis = page.matrix, page.axis
    sizes = sizes_style(list(page.tallies.values()))
    style = "\n".join((*map(_resource, STYLES), sizes))
    script = "\n".join(map(_resource, SCRIPTS))
    template = _environment().get_template("report.html.j2")
    text = template.render(
        page=page,
        lead=lead(page),
        run=matrix.run,
        cell_link=partial(cell_link, matrix),
        area_link=partial(area_link, matrix),
        matrix=matrix,
        grid=grid_of(matrix, axis, page.folds, page.diff, page.shown),
        written={name: era_contents(matrix, axis, name) for name in page.scenarios},
        occurring={s for tally in page.tallies.values() for s in tally.by_status},
        # What the grid shows first; its legend counts no other loads.
        counted=page.by_scenario[page.shown] if page.shown else page.tallies.get(TODAY, tally(())),
        policy=content_security_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=Markup(payload(matrix, axis, page.folds, page.diff).decode()),
    )
    return text.encode("utf-8", "replace")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ckptmatrix.results.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        glyphs=GLYPHS,
        meanings=MEANINGS,
        statuses=WORST_FIRST,
        measured_statuses=MEASURED,
        era_letter=era_letter,
    )
    environment.filters["number"] = lambda value: f"{value:,}".replace(
        ",", "\N{NARROW NO-BREAK SPACE}"
    )
    environment.filters["named"] = scenarios_text
    environment.filters["prose"] = _prose
    environment.filters["web"] = _is_web_link
    return environment


def _shown(value: object) -> object:
    """Show of a text what a browser or its reader would obey; what is ours goes in as it is."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _prose(text: str) -> Markup:
    """Escape a text of the catalogue and set what it has between backticks as code."""
    text = plain(text)
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return Markup.escape(text)
    made = (Markup("<code>{}</code>").format(p) if i % 2 else p for i, p in enumerate(parts))
    return Markup("").join(made)


def _is_web_link(link: str) -> bool:
    """Whether a link may become one: a catalogue or a checkpoint could name any scheme."""
    return link.startswith(("https://", "http://"))


def _resource(name: str) -> str:
    """Read a style or script of the package; these are ours, so they go in as they are."""
    return (resources.files("ckptmatrix.results.report") / "templates" / name).read_text("utf-8")
