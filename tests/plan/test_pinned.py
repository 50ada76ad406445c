"""From pins to a release and a stack."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ckptmatrix.errors import UsageError
from ckptmatrix.model import Environment
from ckptmatrix.plan.config import read_config
from ckptmatrix.plan.pinned import completed, pinned_environment, to_resolve, told_apart
from ckptmatrix.plan.pins import one_line
from ckptmatrix.plan.pins.pins import Extent, Pins
from ckptmatrix.plan.planning import make_plan
from ckptmatrix.plan.selection import Selection
from ckptmatrix.plan.upgrade_matrix import TIER, both_ways, fewer_changes, into, upgrade_matrix

LOCKED = "accelerate==0.33.0 torch==2.4.1+cu121 numpy==1.26.4 safetensors==0.4.5"


def pins(text: str, extent: Extent = Extent.WISHES, **kept: str) -> Pins:
    read = one_line.read(text, None)
    held = {name: Requirement(f"{name}=={version}") for name, version in kept.items()}
    return Pins(read.source, read.python, read.asked, held, extent=extent)


def test_what_is_pinned_is_not_asked_of_uv() -> None:
    assert to_resolve(pins(LOCKED)) == ()
    asked = {str(one) for one in to_resolve(pins("accelerate==0.33.0 torch==2.4.1+cu121 pip==24"))}
    assert asked == {"accelerate==0.33.0", "torch==2.4.1", "numpy", "safetensors"}


def test_without_accelerate_or_a_lock_without_torch() -> None:
    with pytest.raises(UsageError, match="names no accelerate") as raised:
        to_resolve(pins("torch==2.4.1 numpy==1.26.4"))
    assert "accelerate==1.15.0" in raised.value.remedy
    with pytest.raises(UsageError, match="no torch"):
        to_resolve(pins("accelerate==0.33.0", Extent.WHOLE))
    left = Pins("x", "3.11", {}, {}, ("a repository of accelerate",))
    with pytest.raises(UsageError, match="names no accelerate but a repository of accelerate"):
        to_resolve(left)


def test_the_environment_has_what_a_training_needs_and_holds_to_the_rest() -> None:
    found = pinned_environment(pins(f"{LOCKED} diffusers==0.30 triton==3.0", fsspec="2024.2"), {})
    assert found.environment == Environment("0.33.0", "torch2.4.1-np1.26.4")
    assert found.stack.packages == ("numpy==1.26.4", "safetensors==0.4.5", "torch==2.4.1")
    assert found.stack.constraints == ("diffusers==0.30", "fsspec==2024.2")
    assert found.notes == ("the build of torch 2.4.1+cu121: 2.4.1 as the index has it",)
    assert found.by_uv == ()
    own = pinned_environment(pins(f"{LOCKED} diffusers==0.30"), {}, everything=True)
    assert "diffusers==0.30" in own.stack.packages


def test_what_uv_chose_is_held_to_and_said() -> None:
    chosen = {"torch": "2.13.0", "numpy": "2.4.6", "safetensors": "0.8.0", "fsspec": "2026.9.0"}
    found = pinned_environment(pins("accelerate==1.15.0 torch>=2.13"), chosen)
    assert found.by_uv == ("torch", "numpy", "safetensors")
    assert found.stack.packages == ("numpy==2.4.6", "safetensors==0.8.0", "torch==2.13.0")
    assert found.stack.constraints == ("fsspec==2026.9.0",)


def test_a_line_names_only_what_changes() -> None:
    old = pinned_environment(pins(f"{LOCKED} diffusers==0.30", fsspec="2024.2"), {})
    new = completed(one_line.read("accelerate==1.15.0", None), old.pins)
    after = pinned_environment(new, {})
    assert after.environment.accelerate == "1.15.0"
    assert after.stack.packages == old.stack.packages
    whole = pins("accelerate==1.15.0")
    assert completed(whole, old.pins) is whole


def test_stacks_that_differ_beyond_torch_and_numpy_have_two_names() -> None:
    one, other = (pinned_environment(pins(LOCKED, fsspec=v), {}) for v in ("2024.2", "2025.3"))
    same = told_apart(one, one)
    assert same == (one, one)
    assert [end.environment.stack for end in told_apart(one, other)] == [
        "torch2.4.1-np1.26.4-old",
        "torch2.4.1-np1.26.4-new",
    ]


def test_the_matrix_of_an_upgrade_and_of_what_lies_between(tmp_path: Path) -> None:
    old = pinned_environment(pins(LOCKED, fsspec="2024.2"), {})
    new = pinned_environment(
        pins("accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 safetensors==0.4.5"), {}
    )
    between = fewer_changes(old, new)
    assert list(between) == [
        Environment("1.15.0", "torch2.4.1-np1.26.4"),
        Environment("1.15.0", "torch2.13.0-np2.4.6-torch2.4.1"),
        Environment("1.15.0", "torch2.13.0-np2.4.6-numpy1.26.4"),
        Environment("0.33.0", "torch2.13.0-np2.4.6"),
    ]
    places = {old.environment: old.stack, new.environment: new.stack, **between}
    (tmp_path / "matrix.toml").write_text(
        upgrade_matrix(places, {"mine": "my_module:Mine"}, {"accelerate": "a.b:c"})
    )
    config = read_config(tmp_path / "matrix.toml")
    assert {stack.name: stack for stack in places.values()} == config.stacks
    whole = make_plan(config, Selection(TIER))
    ends = (old.environment, new.environment)
    there_and_back = both_ways(whole, *ends)
    assert there_and_back.environments == ends
    assert len(there_and_back.cells) == 4
    part = into(whole, old.environment, between)
    assert {(cell.writer, cell.reader) for cell in part.cells} == {
        (old.environment, reader) for reader in between
    }
    assert {cell.scenario for cell in part.cells} == {"mine"}


def test_nothing_lies_between_where_only_the_release_changes() -> None:
    old = pinned_environment(pins(LOCKED), {})
    new = pinned_environment(pins(LOCKED.replace("0.33.0", "1.15.0")), {})
    assert fewer_changes(old, new) == {}


def test_a_stack_of_matrix_toml_takes_its_versions_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        "torch==2.4.1\nnumpy==1.26.4\naccelerate==0.33.0\ntransformers==4.44\nruff==0.6\n"
    )
    matrix = tmp_path / "matrix.toml"
    matrix.write_text(
        '[stacks.mine]\nfrom = "requirements.txt"\npackages = ["transformers"]\npython = "3.10"\n'
        '[tiers.own]\naccelerate = ["0.33.0"]\n'
    )
    stack = read_config(matrix).stacks["mine"]
    assert stack.python == "3.10"
    assert stack.packages == ("numpy==1.26.4", "safetensors", "torch==2.4.1", "transformers==4.44")
    assert stack.constraints == ("ruff==0.6",)
    matrix.write_text(matrix.read_text().replace('"requirements.txt"', '"none.txt"'))
    with pytest.raises(UsageError, match=r"line 2: stacks\.mine\.from: none\.txt cannot be read"):
        read_config(matrix)
    matrix.write_text('[stacks.mine]\npython = "3.10"\n[tiers.own]\naccelerate = ["0.33.0"]\n')
    with pytest.raises(UsageError, match=r"stacks\.mine\.packages: it is needed"):
        read_config(matrix)
