"""`ckptmatrix versions`: which releases are out and not measured."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from ckptmatrix.cli.options import config_option
from ckptmatrix.environments.index_of_the_day import ask_index
from ckptmatrix.errors import CkptmatrixError, UsageError
from ckptmatrix.plan.adding import Added, add_releases
from ckptmatrix.plan.config import Config, read_config
from ckptmatrix.plan.coverage import Coverage, NewerRelease, coverage
from ckptmatrix.plan.newer import (
    ACCELERATE,
    PACKAGES,
    PYTHON,
    IndexRelease,
    listing,
    sentence,
    title,
)
from ckptmatrix.results.which_matrix import finished_matrix
from ckptmatrix.util.files import write_atomically

_ALL = (*PACKAGES, PYTHON)


@click.command(name="versions")
@click.option(
    "--check",
    "limit",
    type=click.IntRange(0),
    metavar="DAYS",
    help="Fail if a release has been out so many days and is not measured.",
)
@click.option(
    "--add",
    is_flag=True,
    help="Write new accelerate releases into the tiers of matrix.toml that end with the newest "
    "one it names.",
)
@click.option(
    "--package",
    "packages",
    multiple=True,
    type=click.Choice(_ALL),
    help="Only this one. Can be given several times.",
)
@click.option(
    "--matrix",
    "path",
    type=click.Path(path_type=Path),
    help="A matrix.json.gz or its directory; default: that in reports, else the shipped sample.",
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def command(
    limit: int | None,
    add: bool,
    packages: tuple[str, ...],
    path: Path | None,
    config: Path,
    as_json: bool,
) -> None:
    """Say which releases of accelerate, torch, numpy, safetensors and Python are not measured.

    Those that are newer than anything in the last run; the newest that matrix.toml declares is
    shown beside it. Pre-releases and withdrawn releases do not count. Dates are the index's; that
    of a Python is its first build that uv can fetch.

    \b
    Examples:
      ckptmatrix versions
      ckptmatrix versions --check 14                    for CI: fail on what is out two weeks
      ckptmatrix versions --check 14 --package accelerate --package torch
      ckptmatrix versions --add                         new accelerate releases into matrix.toml
      ckptmatrix versions --matrix old/matrix.json.gz --json

    \b
    Exit codes:
      0  nothing is newer, or nothing has been out DAYS; without --check always
      1  --check: a release has been out DAYS and is not measured
      2  wrong use, or a file that cannot be read or understood
      3  the index could not be asked, or gives no date that --check needs
      4  there is no run to compare with
    """
    if add and packages and ACCELERATE not in packages:
        raise UsageError("--add is about releases of accelerate", "give --package accelerate too")
    declared = read_config(config)
    matrix, source = finished_matrix(path)
    index = ask_index(tuple(name for name in _ALL if name in packages) or _ALL)
    now = datetime.now(UTC)
    found = coverage(declared, matrix.environments.values(), index, now)
    added = _add(declared, index[ACCELERATE]) if add else None
    if as_json:
        answer = _as_json(found, source, limit, added)
        click.echo(msgspec.json.format(msgspec.json.encode(answer)))
    else:
        click.echo(f"measured: {source}; declared: {config}\n")
        Console().print(_table(found))
        for line in _lines(found, limit, added, config.name):
            click.echo(line)
    sys.exit(_exit_code(found, limit))


def _add(config: Config, releases: tuple[IndexRelease, ...]) -> Added:
    """Write what is new into `matrix.toml`.

    Raises:
        UsageError: it cannot be written.
    """
    # As bytes: the line ends stay as they are.
    text = config.path.read_bytes().decode("utf-8")
    added = add_releases(text, tuple(release.version for release in releases))
    if added.tiers:
        try:
            write_atomically(config.path, added.text.encode("utf-8"))
        except OSError as error:
            raise UsageError(
                f"{config.path} cannot be written: {error.strerror}",
                f"add {', '.join(added.releases)} to {', '.join(added.tiers)} by hand",
            ) from error
    return added


def _table(found: tuple[Coverage, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in ("", "measured", "declared", "newer", "since", "days", ""):
        table.add_column(head, no_wrap=bool(head), justify="right" if head == "days" else "left")
    for one in found:
        known = [title(one.package), one.measured or "none", one.declared or "none"]
        if not one.newer:
            table.add_row(*known, "none" if one.known else "not known")
        for release in one.newer:
            table.add_row(*known, release.version, *_dates(release), _remark(release))
            known = [""] * len(known)
    return table


def _dates(release: NewerRelease) -> tuple[str, str]:
    if release.released is None:
        return "not said", ""
    return f"{release.released:%Y-%m-%d}", f"{release.days}"


def _remark(release: NewerRelease) -> str:
    return "; ".join(filter(None, ("declared" if release.declared else "", release.remark)))


def _lines(
    found: tuple[Coverage, ...], limit: int | None, added: Added | None, name: str
) -> Iterator[str]:
    """Give what is said below the table."""
    yield ""
    said = sentence({one.package: one.versions for one in found})
    yield said or "nothing newer is out"
    if limit is not None:
        late = listing({one.package: one.out(limit) for one in found})
        yield f"out {limit} days or longer: {late or 'none of them'}"
    if added:
        what = f"{', '.join(added.releases)} added to {', '.join(added.tiers)}"
        yield f"{name}: {what if added.tiers else 'no new release of accelerate to add'}"
        for tier, why in added.left.items():
            yield f"{name}: {tier} is left as it is: {why}"


def _as_json(
    found: tuple[Coverage, ...], source: str, limit: int | None, added: Added | None
) -> dict[str, Any]:
    return {
        "measured": source,
        "packages": {one.package: one for one in found},
        "sentence": sentence({one.package: one.versions for one in found}),
        "check": None
        if limit is None
        else {
            "days": limit,
            "out": {one.package: one.out(limit) for one in found if one.out(limit)},
            "undated": {one.package: one.undated for one in found if one.undated},
        },
        "added": added and {"releases": added.releases, "tiers": added.tiers, "left": added.left},
    }


def _exit_code(found: tuple[Coverage, ...], limit: int | None) -> int:
    """Tell whether something has been out too long.

    Raises:
        CkptmatrixError: the dates that it hangs on are not known.
    """
    if limit is None:
        return 0
    if any(one.out(limit) for one in found):
        return 1
    undated = listing({one.package: one.undated for one in found})
    if undated:
        raise CkptmatrixError(
            f"the index does not say since when {undated} has been out",
            "ask one that gives dates (PEP 700) by pip's index settings, or give --check 0, which "
            "needs none",
        )
    return 0
