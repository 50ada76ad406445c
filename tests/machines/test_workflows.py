"""The workflows in docs/: of the right form, and every command in them is one that there is."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from ckptmatrix.cli import cli
from tests.support.places import ROOT

GITHUB = ROOT / "docs" / "workflows" / "github-actions.yml"
CHECK = ROOT / "docs" / "workflows" / "github-check.yml"
VERSIONS = ROOT / "docs" / "workflows" / "github-versions.yml"
SLURM = ROOT / "docs" / "workflows" / "slurm-array.sh"
PAGE = ROOT / "docs" / "many-machines.md"
CHECK_PAGE = ROOT / "docs" / "check.md"
VERSIONS_PAGE = ROOT / "docs" / "versions.md"


@pytest.mark.parametrize("path", [GITHUB, VERSIONS, CHECK], ids=lambda path: path.stem)
def test_the_workflow_keeps_to_githubs_schema(path: Path) -> None:
    schema = ["check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    subprocess.run([sys.executable, "-m", *schema, str(path)], check=True)


@pytest.mark.parametrize("path", [GITHUB, VERSIONS], ids=lambda path: path.stem)
def test_the_workflow_may_only_read_and_only_one_runs_at_a_time(path: Path) -> None:
    workflow = YAML(typ="safe").load(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert not [job for job in workflow["jobs"].values() if "permissions" in job]
    assert workflow["concurrency"]["cancel-in-progress"] is True
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_what_builds_a_pull_requests_lock_may_not_write_and_what_writes_runs_nothing_of_it() -> (
    None
):
    workflow = YAML(typ="safe").load(CHECK)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    jobs = workflow["jobs"]
    assert "permissions" not in jobs["check"]
    assert jobs["comment"]["permissions"] == {"pull-requests": "write"}
    checkouts = [one for one in jobs["check"]["steps"] if "checkout" in one.get("uses", "")]
    assert [one["with"]["persist-credentials"] for one in checkouts] == [False, False]
    used = [step.get("uses", "") for step in jobs["comment"]["steps"]]
    assert not [one for one in used if "checkout" in one or "setup" in one]
    assert all("timeout-minutes" in job for job in jobs.values())


@pytest.mark.parametrize("path", [GITHUB, CHECK], ids=lambda path: path.stem)
def test_no_input_is_put_into_a_shell(path: Path) -> None:
    # An expression in `run` becomes part of the program; in `env` it stays a value.
    workflow = YAML(typ="safe").load(path)
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert len([step for step in steps if "run" in step]) > 2
    assert not [step["run"] for step in steps if "${{" in step.get("run", "")]


def test_the_script_is_sound_shell() -> None:
    subprocess.run(["bash", "-n", str(SLURM)], check=True)
    linter = Path(sys.executable).with_name("shellcheck")
    subprocess.run([str(linter), "--enable=all", "--exclude=SC2250", str(SLURM)], check=True)


def lines(text: str) -> Iterator[str]:
    """The commands of ckptmatrix in a text, continued lines joined."""
    for line in text.replace("\\\n", " ").splitlines():
        found = re.search(r"(?:^|- run:)\s*(ckptmatrix [a-z][^#]*)", line)
        if found:
            yield re.split(r"\|\||>|;", found[1])[0].strip()


def commands() -> list[str]:
    pages = (GITHUB, SLURM, PAGE, VERSIONS, VERSIONS_PAGE, CHECK, CHECK_PAGE)
    return [line for path in pages for line in lines(path.read_text("utf-8"))]


def test_the_commands_are_found() -> None:
    for path in (GITHUB, SLURM, PAGE):
        names = {line.split()[1] for line in lines(path.read_text("utf-8"))}
        assert {"write", "run", "merge"} <= names
    for path in (CHECK, CHECK_PAGE):
        assert [line for line in lines(path.read_text("utf-8")) if "check --from" in line]
    for path in (VERSIONS, VERSIONS_PAGE):
        assert "ckptmatrix versions --check 14" in lines(path.read_text("utf-8"))


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_is_one_that_there_is(line: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"options=($OPTIONS); task=3; printf '%s\\0' {line}"],
        env={
            "PATH": os.environ["PATH"],
            "OPTIONS": "--tier smoke --device cpu",
            "SHARDS": "8",
            "SHARD": "3",
            "SHARED": str(tmp_path),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    _, name, *arguments = ended.stdout.removesuffix("\0").split("\0")
    context = click.Context(cli)
    command = cli.get_command(context, name)
    assert command, f"there is no ckptmatrix {name}"
    # Parses and checks each option as the command would, and runs nothing.
    command.make_context(name, arguments, parent=context)


def test_wrong_commands_would_be_found(tmp_path: Path) -> None:
    for line in ("ckptmatrix run --shards 3/8", "ckptmatrix run --shard 9/8", "ckptmatrix merge"):
        with pytest.raises(click.UsageError):
            test_every_command_is_one_that_there_is(line, tmp_path)
    assert shlex.split(next(lines("- run: ckptmatrix merge a b -o c || true"))) == [
        *("ckptmatrix", "merge", "a", "b", "-o", "c")
    ]
