"""The `ckptmatrix` command: one file per subcommand in this package, each with a `command`."""

import importlib
import importlib.util
import io
import os
import pkgutil
import sys
import tempfile
import traceback
from importlib.abc import InspectLoader

import click

from ckptmatrix import __version__
from ckptmatrix.errors import CkptmatrixError, machine_errors
from ckptmatrix.util.did_you_mean import did_you_mean
from ckptmatrix.util.saying import say
from ckptmatrix.util.terminal_text import clean

_SHARED = frozenset({"options", "project", "run_end"})
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            ctx.fail(f"there is no command {name!r}; {did_you_mean(name, known)}see --help")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(module.strip("_"), _about(module)) for module in _modules()])


def _modules() -> list[str]:
    return [m.name for m in pkgutil.iter_modules(__path__) if m.name not in _SHARED]


def _about(module: str) -> str:
    """What a subcommand is for: the first line of its file, which is not imported for that."""
    spec = importlib.util.find_spec(f"{__name__}.{module}")
    loader = spec and spec.loader
    assert isinstance(loader, InspectLoader)
    source = loader.get_source(f"{__name__}.{module}") or ""
    return source.partition("\n")[0].strip('"').partition(": ")[2].rstrip(".")


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Know before you upgrade: will your accelerate checkpoints still resume?

    \b
    Before an upgrade   check, upgrade, plan, run, report, diff, versions
    On many machines    write, run --shard, merge
    A broken checkpoint inspect, explain, doctor, try, repair
    Over your own code  init, scenario check

    Every command answers --help with examples and its exit codes.
    """


def main(command: click.Command = cli) -> None:
    """Run a command line; a `CkptmatrixError` becomes its message and its exit code, anything else
    that is raised a sentence, exit code 3 and a log."""
    try:
        with machine_errors():
            command.main(standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; what was built and measured so far is kept", err=True)
        sys.exit(130)
    except click.ClickException as error:
        with io.StringIO() as shown:
            error.show(shown)
            say(shown.getvalue().rstrip("\n"), err=True)
        sys.exit(2)
    except CkptmatrixError as error:
        say(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read along has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 - a fault of this program; no traceback at a user
        say(f"error: {_unforeseen(error)}", err=True)
        sys.exit(3)


def _unforeseen(error: Exception) -> str:
    """A sentence on an error that nobody has foreseen, and where all of it is written."""
    said = clean(f"{type(error).__name__}: {error}", 200)
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="ckptmatrix-", suffix=".log", delete=False, errors="backslashreplace"
        ) as log:
            traceback.print_exception(error, file=log)
    except OSError:
        return f"something in ckptmatrix went wrong ({said})."
    return (
        f"something in ckptmatrix went wrong ({said}).\n"
        f"  remedy: please report it as a bug, with {log.name}"
    )
