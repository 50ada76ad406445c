"""What counts as newer than measured, and the sentence about it."""

from datetime import UTC, datetime
from pathlib import Path

from ckptmatrix.model import EnvironmentRecord, EnvironmentStatus, Stack
from ckptmatrix.plan.config import Config, Tier
from ckptmatrix.plan.coverage import coverage
from ckptmatrix.plan.newer import (
    IndexRelease,
    declared_versions,
    listing,
    measured_versions,
    newer_than,
    not_measured,
    sentence,
)

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def record(
    accelerate: str, python: str = "", torch: str = "", numpy: str = ""
) -> EnvironmentRecord:
    status = EnvironmentStatus.READY if python else EnvironmentStatus.UNAVAILABLE
    return EnvironmentRecord(accelerate, "stack", status, python, torch, numpy, "0.8.0")


RECORDS = (
    record("1.9.0", "3.11.7", "2.13.0+cpu", "2.4.1"),
    record("1.10.0", "3.9.2", "2.4.1+cu124", "1.26.4"),
    record("1.15.0"),  # could not be built
)


def declared(tmp_path: Path, *packages: str) -> Config:
    tiers = {"some": Tier(["1.9.0", "1.10.0"]), "full": Tier(">=0.10")}
    return Config(tmp_path, {"s": Stack("s", "3.11", packages)}, tiers, {}, {})


def test_measured_is_what_environments_really_had() -> None:
    assert measured_versions(RECORDS) == {
        "accelerate": ("1.9.0", "1.10.0"),
        "torch": ("2.4.1", "2.13.0"),
        "numpy": ("1.26.4", "2.4.1"),
        "safetensors": ("0.8.0",),
        "python": ("3.9", "3.11"),
    }


def test_declared_is_what_is_named(tmp_path: Path) -> None:
    found = declared_versions(
        declared(tmp_path, "torch==2.13.0", "numpy==2.*", "safetensors>=0.4", "torchdata==0.11.0")
    )
    assert found == {
        "accelerate": ("1.9.0", "1.10.0"),
        "torch": ("2.13.0",),
        "numpy": (),
        "safetensors": (),
        "python": ("3.11",),
    }


def test_newer_is_beyond_the_newest_and_in_order() -> None:
    releases = [IndexRelease(version) for version in ("2.10.0", "2.9.0", "2.8.0", "2.7.9")]
    assert [one.version for one in newer_than(("2.8.0", "1.0"), releases)] == ["2.9.0", "2.10.0"]
    assert len(newer_than((), releases)) == 4


def test_a_run_records_what_its_environments_do_not_reach() -> None:
    index = {
        "accelerate": (IndexRelease("1.10.0"), IndexRelease("1.15.0")),
        "torch": (IndexRelease("2.13.0"),),
        "python": (IndexRelease("3.10"), IndexRelease("3.14")),
    }
    found = not_measured(RECORDS, index)
    assert found == {"accelerate": ("1.15.0",), "torch": (), "python": ("3.14",)}


def test_the_sentence() -> None:
    assert sentence({"torch": ("2.14.0", "2.14.1", "2.15.0"), "numpy": ()}) == (
        "torch 2.14.0, 2.14.1, 2.15.0 are out and not measured"
    )
    assert sentence({"torch": ("2.14.0",)}) == "torch 2.14.0 is out and not measured"
    assert sentence({"numpy": ("2.5.0",), "python": ("3.14",)}) == (
        "numpy 2.5.0; Python 3.14 are out and not measured"
    )
    assert sentence({"numpy": ()}) == sentence({}) == ""
    many = tuple(f"2.{minor}" for minor in range(7))
    assert listing({"numpy": many}) == "numpy 2.0 to 2.6 (7 releases)"


def test_coverage_of_a_package(tmp_path: Path) -> None:
    config = declared(tmp_path, "torch==2.14.0")
    index = {
        "torch": (
            IndexRelease("2.13.0", datetime(2026, 7, 8, tzinfo=UTC)),
            IndexRelease("2.14.0", datetime(2026, 11, 12, 12, tzinfo=UTC), ">=3.10"),
            IndexRelease("2.14.1"),
            IndexRelease("2.15.0", datetime(2026, 11, 25, tzinfo=UTC), ">=3.12"),
        ),
        "python": (),
    }
    torch, python = coverage(config, RECORDS, index, NOW)
    assert (torch.measured, torch.declared, torch.known) == ("2.13.0", "2.14.0", True)
    assert torch.versions == ("2.14.0", "2.14.1", "2.15.0")
    assert [one.days for one in torch.newer] == [13, None, 1]
    assert [one.declared for one in torch.newer] == [True, False, False]
    assert [one.remark for one in torch.newer] == ["", "", "needs Python >=3.12"]
    assert torch.undated == ("2.14.1",)
    assert torch.out(14) == ()
    assert torch.out(13) == ("2.14.0",)
    assert torch.out(1) == ("2.14.0", "2.15.0")
    assert torch.out(0) == ("2.14.0", "2.14.1", "2.15.0")
    assert (python.measured, python.known, python.newer) == ("3.11", False, ())


def test_a_patch_release_of_python_is_no_reason_against_its_minor() -> None:
    assert IndexRelease("1", requires_python=">=3.9.2,<3.12").installable(["3.9"])
    assert not IndexRelease("1", requires_python=">=3.12").installable(["3.9", "3.11"])
    assert IndexRelease("1").installable(["3.9"])
