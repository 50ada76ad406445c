"""The option of commands that work without a project: quick to load, as some only read."""

from pathlib import Path

import click

any_config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The declared matrix; by default matrix.toml, else the one that ckptmatrix brings along.",
)
