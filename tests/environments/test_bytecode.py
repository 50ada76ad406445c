"""Bytecode is lent where the sources are the same files, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

from ckptmatrix.environments.bytecode import borrow

SITE = Path("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")


def ask(environment: Path, statement: str) -> str:
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-v",
            "-c",
            f"import sys; sys.path[0:0] = ['{environment / SITE}']; {statement}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def test_only_what_both_share_is_lent(tmp_path: Path) -> None:
    donor, target = tmp_path / "donor", tmp_path / "target"
    for environment in (donor, target):
        (environment / SITE / "shared").mkdir(parents=True)
        (environment / SITE / "own.py").write_text(f"# {environment.name}")
    source = donor / SITE / "shared" / "__init__.py"
    source.write_text("def where(): raise ValueError")
    os.link(source, target / SITE / "shared" / "__init__.py")
    (donor / SITE / "alone.py").write_text("")
    ask(donor, "import shared, own, alone")
    assert borrow(target, donor) == 1
    lent = list((target / SITE).rglob("*.pyc"))
    assert [path.name.partition(".")[0] for path in lent] == ["__init__"]
    told = ask(target, "import shared, own")
    assert f"matches {target / SITE / 'shared' / '__init__.py'}" in told
    assert list((target / SITE / "__pycache__").glob("own.*.pyc"))
    path = f"shared.where.__code__.co_filename == '{target / SITE / 'shared' / '__init__.py'}'"
    ask(target, f"import shared; assert {path}")


def test_an_environment_without_bytecode_lends_nothing(tmp_path: Path) -> None:
    assert borrow(tmp_path / "target", tmp_path / "nowhere") == 0
