"""`ckptmatrix upgrade`: may we go from one accelerate release to another?"""

import sys
from pathlib import Path

import click
import msgspec

from ckptmatrix.cli.project import any_config_option
from ckptmatrix.errors import UsageError
from ckptmatrix.model import Matrix
from ckptmatrix.plan.selection import split_names
from ckptmatrix.results.findings.detours import Detour, Verify
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.findings.measured_how import how_notes
from ckptmatrix.results.verdict.answer import answer
from ckptmatrix.results.verdict.asked import Asked, asked_of
from ckptmatrix.results.verdict.console import lines
from ckptmatrix.results.verdict.resolving import check_names, environments_of
from ckptmatrix.results.verdict.upgrade import judge
from ckptmatrix.results.which_matrix import finished_matrix
from ckptmatrix.util.saying import say
from ckptmatrix.util.wrapping import labelled


@click.command()
@click.argument("old", metavar="FROM")
@click.argument("new", metavar="TO")
@click.option("--from-stack", metavar="NAME", help="Stack that wrote the checkpoints.")
@click.option("--to-stack", metavar="NAME", help="Stack that shall load them.")
@click.option(
    "--scenario", "named", multiple=True, metavar="A,B", help="Judge only these; repeatable."
)
@click.option(
    "--require",
    type=click.Choice(["no-worse", "exact"]),
    default="no-worse",
    show_default=True,
    help="What is good enough: no worse than staying, or every load exact.",
)
@click.option(
    "--matrix",
    "path",
    type=click.Path(path_type=Path),
    help="A matrix.json.gz or its directory; default: that in reports, else the shipped sample.",
)
@click.option(
    "--verify/--no-verify",
    default=None,
    help="Run a way round for real, hop by hop. By default only where its environments are there "
    "already; --verify builds them.",
)
@any_config_option
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def command(
    old: str,
    new: str,
    from_stack: str | None,
    to_stack: str | None,
    named: tuple[str, ...],
    require: str,
    path: Path | None,
    verify: bool | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Say whether checkpoints survive an upgrade FROM one accelerate release TO another.

    Answers from measurements only, by comparison with staying: what gets worse, what is lost, what
    can be done instead, and the way back. FROM and TO are each a version of accelerate (0.33,
    v0.33), a line of pins, or a file with what `pip freeze` prints. A version that was not measured
    is answered by the nearest one that is known to do the same, and the answer says so; where none
    is, it names the command that measures it. Without stack, torch and numpy, both sides are on the
    newest stack that has both releases and on which FROM resumes its own checkpoints; with those of
    one side given, the other is on the same.

    \b
    Examples:
      ckptmatrix upgrade 1.14 1.15
      ckptmatrix upgrade 0.33 1.15 --from-stack torch2.4-np1 --to-stack torch2.15-np2
      ckptmatrix upgrade "accelerate==0.33 torch==2.4" "accelerate==1.15 torch==2.9 numpy==2"
      ckptmatrix upgrade today.txt 1.15                 today.txt as `pip freeze` wrote it
      ckptmatrix upgrade 0.31 0.33 --scenario basic,kohya-lora --json
      ckptmatrix upgrade 1.14 1.15 --scenario ddp-2 --require exact
      ckptmatrix upgrade 1.15 0.31 --verify             run the way round, if there is one

    \b
    Exit codes:
      0  go: nothing gets worse (with --require exact: everything resumes exactly)
      1  go if something is done first, or don't: it breaks
      2  wrong use
      4  not measured, or not all of the scenarios that were named
    """
    # A stack that is given holds for both sides, unless the other names its own.
    before, after = _asked(old, from_stack or to_stack), _asked(new, to_stack or from_stack)
    scenarios = split_names(named) or ()
    matrix, source = finished_matrix(path, scenarios)
    index = LoadIndex(matrix)
    check_names(index, [name for name in (from_stack, to_stack) if name], scenarios)
    question = environments_of(index, before, after)
    upgrade = judge(
        index,
        *question.ends,
        scenarios,
        exact=require == "exact",
        verify=_verifier(verify, config),
    )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer(upgrade, source, question))))
    else:
        say("\n".join(lines(upgrade, question)))
        where = f"{matrix.run.finished[:10]} on {matrix.run.device}, {source}"
        click.echo(labelled("measured", where))
        for note in how_notes(matrix, upgrade.scenarios):
            say(labelled("", note))
    sys.exit(upgrade.headline.exit_code)


def _asked(text: str, stack: str | None) -> Asked:
    """Read one side of the question, out of a file where one of that name is."""
    path = Path(text)
    try:
        held = path.read_text("utf-8", "replace") if len(text) < 256 and path.is_file() else text
    except OSError as error:
        raise UsageError(f"{text} cannot be read: {error.strerror}") from None
    return asked_of(held, stack)


def _verifier(wanted: bool | None, config: Path | None) -> Verify | None:
    """Give what runs a way round; None where no project is here, or it is not wanted."""
    nowhere = config is None and not Path("matrix.toml").is_file()
    if wanted is False or (wanted is None and nowhere):
        return None

    def verify(matrix: Matrix, stops: tuple[str, ...], scenarios: tuple[str, ...]) -> Detour:
        # What installs and measures is loaded where it is needed; most questions never need it.
        from ckptmatrix.environments.site import Site
        from ckptmatrix.plan.shipped_matrix import any_config
        from ckptmatrix.results.hops import verifier

        site = Site.of(any_config(config))
        return verifier(site, build=bool(wanted))(matrix, stops, scenarios)

    return verify
