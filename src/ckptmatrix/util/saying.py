"""A message on the console: cleaned, and wrapped where a person reads it."""

import sys

import click

from ckptmatrix.util.terminal_text import plain
from ckptmatrix.util.wrapping import wrapped


def say(text: str, err: bool = False) -> None:
    """Print lines of text, whatever is in them.

    In a terminal long ones wrap between words, and stay under their indentation; elsewhere each
    stays one line, to be searched for.

    Args:
        text: one or several lines.
        err: to standard error.
    """
    shown = plain(text)
    stream = sys.stderr if err else sys.stdout
    click.echo(wrapped(shown) if stream.isatty() else shown, err=err)
