"""A stand-in for a runner of GitHub Actions: does a workflow's steps one after another, for real.

It knows the few actions and expressions that the workflow uses; any other is an error.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass
class Runner:
    """Runs the jobs of one workflow."""

    workflow: dict[str, Any]
    checkout: Path
    folder: Path
    inputs: Mapping[str, str]
    environ: Mapping[str, str]
    homes: Mapping[str, Path]
    """Job, and its place in the matrix -> CKPTMATRIX_HOME of that machine."""
    outputs: dict[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    def run(self) -> None:
        for name, job in self.workflow["jobs"].items():
            needed = job.get("needs", [])
            for one in [needed] if isinstance(needed, str) else needed:
                assert one in self.results, f"{name} needs {one}, which comes later"
            places = job.get("strategy", {}).get("matrix", {"": [""]})
            (axis, values), *others = places.items()
            assert not others
            values = json.loads(self.value(values)) if isinstance(values, str) else values
            codes = [self.job(name, job, axis, str(value)) for value in values]
            self.results[name] = "success" if not any(codes) else "failure"

    def job(self, name: str, job: dict[str, Any], axis: str, value: str) -> int:
        """One machine's steps, each in a shell of its own; the first exit code that is not 0."""
        machine = self.folder / f"{name}{value}"
        shutil.copytree(self.checkout, machine)
        known = {f"matrix.{axis}": value}
        declared = {**self.workflow.get("env", {}), **job.get("env", {})}
        environ = {key: self.value(text, known) for key, text in declared.items()}
        failed = 0
        for step in job["steps"]:
            told = step.get("if", "")
            assert told in ("", "${{ !cancelled() }}"), told
            if failed and not told:
                continue
            if "uses" in step:
                self.action(step["uses"], step.get("with", {}), known, machine)
                continue
            output = machine / "output"
            output.touch()
            ended = subprocess.run(
                ["bash", "-e", "-c", self.value(step["run"], known)],
                cwd=machine,
                env={
                    **self.environ,
                    **environ,
                    "CKPTMATRIX_HOME": str(self.homes[f"{name}{value}"]),
                    "GITHUB_OUTPUT": str(output),
                    "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
                },
            ).returncode
            failed = failed or ended
            for line in output.read_text().splitlines():
                key, _, text = line.partition("=")
                self.outputs[f"steps.{step['id']}.outputs.{key}"] = text
            output.unlink()
        for key, text in job.get("outputs", {}).items():
            self.outputs[f"needs.{name}.outputs.{key}"] = self.value(text)
        return failed

    def action(
        self, uses: str, given: dict[str, Any], known: dict[str, str], machine: Path
    ) -> None:
        action, _, version = uses.partition("@")
        assert re.fullmatch(r"v\d+", version), f"{uses} is not pinned to a major version"
        if action == "actions/upload-artifact":
            source = machine / given["path"]
            target = self.artifacts / self.value(given["name"], known)
            assert source.exists(), f"nothing at {source}"
            target.mkdir(parents=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copy(source, target)
        elif action == "actions/download-artifact" and "name" in given:
            shutil.copytree(self.artifacts / given["name"], machine, dirs_exist_ok=True)
        elif action == "actions/download-artifact":
            for one in self.artifacts.iterdir():
                if fnmatchcase(one.name, given["pattern"]):
                    shutil.copytree(one, machine / given["path"] / one.name)
        else:
            assert action in ("actions/checkout", "astral-sh/setup-uv"), f"unknown action {uses}"

    def value(self, text: str, known: Mapping[str, str] | None = None) -> str:
        """A text with its expressions worked out."""
        names = {**self.outputs, **(known or {})}

        def one(found: re.Match[str]) -> str:
            expression = re.sub(r"^fromJSON\((.*)\)$", r"\1", found[1])
            default = re.fullmatch(r"inputs\.(\w+) \|\| '(.*)'", expression)
            if default:
                return self.inputs.get(default[1]) or default[2]
            return names[expression]

        return EXPRESSION.sub(one, text)


def path_with(folder: Path) -> str:
    """A PATH on which what lies in a folder comes first."""
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
