"""The `ckptmatrix` command: one file per subcommand in this package, each with a `command`."""

import importlib
import pkgutil
import sys

import click

from ckptmatrix import __version__
from ckptmatrix.errors import CkptmatrixError

_SHARED = frozenset({"options", "run_end"})
"""Files of this package that are no subcommand."""


class _Commands(click.Group):
    """Finds the subcommands by the files beside this one; imports only the one asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(name.strip("_") for name in _modules())

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        for module in _modules():
            if module.strip("_") == name:
                found = importlib.import_module(f"{__name__}.{module}").command
                assert isinstance(found, click.Command)
                return found
        return None


def _modules() -> list[str]:
    return [m.name for m in pkgutil.iter_modules(__path__) if m.name not in _SHARED]


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Know before you upgrade: will your accelerate checkpoints still resume?

    \b
    Before an upgrade   plan, run, report, upgrade, diff, versions
    On many machines    write, run --shard, merge
    A broken checkpoint inspect, explain, doctor, try, repair

    Every command answers --help with examples and its exit codes.
    """


def main(command: click.Command = cli) -> None:
    """Run a command line; a `CkptmatrixError` becomes its message and its exit code."""
    try:
        command.main(standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; what was built and measured so far is kept", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except CkptmatrixError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
