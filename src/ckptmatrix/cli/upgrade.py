"""`ckptmatrix upgrade`: may we go from one accelerate release to another?"""

import sys
from pathlib import Path

import click
import msgspec

from ckptmatrix.environments.site import Site
from ckptmatrix.errors import UsageError
from ckptmatrix.model import Matrix
from ckptmatrix.plan.config import read_config
from ckptmatrix.results.findings.advice import Advice, advise, resolve
from ckptmatrix.results.findings.crossing import Safety
from ckptmatrix.results.findings.detours import Verify
from ckptmatrix.results.findings.tally import scenarios_of
from ckptmatrix.results.findings.wording import advice_lines, decision, detour_text, remedy_text
from ckptmatrix.results.hops import verifier
from ckptmatrix.results.which_matrix import finished_matrix

EXIT_CODES = {Safety.SAFE: 0, Safety.UNSAFE: 1, Safety.UNKNOWN: 4}


@click.command()
@click.argument("old", metavar="FROM")
@click.argument("new", metavar="TO")
@click.option("--from-stack", metavar="NAME", help="Stack that wrote the checkpoints.")
@click.option("--to-stack", metavar="NAME", help="Stack that shall load them.")
@click.option("--scenario", "scenarios", multiple=True, help="Judge only this one; repeatable.")
@click.option(
    "--matrix",
    "path",
    type=click.Path(path_type=Path),
    help="A matrix.json or its directory; default: reports/matrix.json, else the shipped sample.",
)
@click.option(
    "--verify/--no-verify",
    default=None,
    help="Run a way round for real, hop by hop. By default only where its environments are there "
    "already; --verify builds them.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("matrix.toml"),
    show_default=True,
    help="The declared matrix, for running a way round.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def command(
    old: str,
    new: str,
    from_stack: str | None,
    to_stack: str | None,
    scenarios: tuple[str, ...],
    path: Path | None,
    verify: bool | None,
    config: Path,
    as_json: bool,
) -> None:
    """Say whether checkpoints survive an upgrade FROM one accelerate release TO another.

    Answers from measurements only: what resumes whole, what is lost silently, what fails, the
    remedy, a way round, and the way back. Without stacks, both sides are on the newest stack that
    has both releases; with one stack given, that stack is kept.

    \b
    Examples:
      ckptmatrix upgrade 0.33.0 1.15.0
      ckptmatrix upgrade 1.1.1 1.15.0 --from-stack torch2.13-np1 --to-stack torch2.13-np2
      ckptmatrix upgrade 0.31.0 0.33.0 --scenario basic --json
      ckptmatrix upgrade 1.15.0 0.31.0 --verify         run the way round, if there is one

    \b
    Exit codes: 0 safe, 1 not safe, 2 wrong use, 4 not measured.
    """
    matrix, source = finished_matrix(path)
    known = scenarios_of(matrix)
    for name in scenarios:
        if name not in known:
            raise UsageError(
                f"there is no scenario {name!r} in this run", f"it has {', '.join(known)}"
            )
    from_stack, to_stack = from_stack or to_stack, to_stack or from_stack
    writer = resolve(matrix, old, from_stack, new)
    reader = resolve(matrix, new, to_stack, old)
    advice = advise(matrix, writer, reader, scenarios, _verifier(matrix, verify, config))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_answer(matrix, advice, source))))
    else:
        click.echo("\n".join(advice_lines(matrix, advice)))
        click.echo(
            f"  measured           {matrix.run.finished[:10]} on {matrix.run.device}, {source}"
        )
    sys.exit(EXIT_CODES[advice.forward.answer])


def _verifier(matrix: Matrix, wanted: bool | None, config: Path) -> Verify | None:
    """Give what runs a way round; None where nothing is declared, or it is not wanted."""
    if wanted is False or (wanted is None and not config.is_file()):
        return None
    declared = read_config(config)
    return verifier(Site.of(declared, matrix.run.device), build=bool(wanted))


def _answer(matrix: Matrix, advice: Advice, source: str) -> dict[str, object]:
    return {
        "answer": advice.forward.answer,
        "verdict": decision(matrix, advice),
        "forward": advice.forward,
        "back": advice.back,
        "already": advice.already,
        "by_upgrade": advice.by_upgrade,
        "as_before": advice.as_before,
        "remedies": [
            *(
                {
                    "remedy": remedy_text(one),
                    "view": one.view,
                    "mends": one.makes_exact,
                    "of": one.of,
                    "harms": one.harms,
                }
                for one in advice.remedies
            ),
            *(
                {"cause": id_, "remedy": matrix.causes[id_].remedy}
                for id_ in advice.forward.causes
                if id_ in matrix.causes
            ),
        ],
        "path": advice.detour
        and {
            "stops": advice.detour.stops,
            "scenarios": advice.detour.scenarios,
            "verified": advice.detour.verified,
            "detail": advice.detour.detail,
            "text": detour_text(matrix, advice.detour, advice.forward),
        },
        "source": source,
    }
