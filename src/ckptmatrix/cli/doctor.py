"""`ckptmatrix doctor`: what an environment loses, found out inside that environment."""

import shutil
import subprocess
import sys
from pathlib import Path

import click

from ckptmatrix.errors import UsageError

SCRIPT = Path(__file__).parent.parent / "doctor.py"
"""The file that runs in the user's environment; it needs nothing else of this package."""

EPILOG = """\b
Examples:
  ckptmatrix doctor                                 the `python` on PATH
  ckptmatrix doctor name-000030-state               will this resume there?
  ckptmatrix doctor ckpt --python ./venv/bin/python
  scp "$(ckptmatrix doctor --where)" pod: && ssh pod python doctor.py ckpt

\b
Exit codes:
  0  every component comes back (with DIR: DIR resumes whole there)
  1  something is lost or raises; each with its cause and remedy
  2  wrong use
  3  accelerate can't be run with that python
"""


@click.command(epilog=EPILOG)
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--python", metavar="PATH", help="The python to examine; default: that on PATH.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.option("--where", is_flag=True, help="Print where doctor.py is, for copying, and exit.")
def command(directory: Path | None, python: str | None, as_json: bool, where: bool) -> None:
    """Say what an environment loses of a training state, and whether DIR will resume in it.

    Saves a small state with `accelerator.step = 360` there, loads it in a fresh process from
    another seed and compares every component by value. DIR is only read, and nothing unknown in
    it is run. The work is done by one file that can be copied to any machine with torch and
    accelerate, and run with `python doctor.py [DIR]`.
    """
    if where:
        click.echo(SCRIPT)
        return
    chosen = shutil.which(python or "python") or (None if python else sys.executable)
    if chosen is None:
        raise UsageError(f"There is no {python}.", "Give the path of a python with --python.")
    arguments = [str(directory)] if directory else []
    done = subprocess.run(
        [chosen, SCRIPT, *arguments, *(["--json"] if as_json else [])], check=False
    )
    sys.exit(done.returncode)
