"""The Pythons that uv can fetch."""

import re
from datetime import UTC, datetime

import msgspec
from packaging.version import Version

from ckptmatrix.environments.uv import InstallError, run_uv
from ckptmatrix.plan.newer import IndexRelease

_LIST = ["python", "list", "--all-versions", "--only-downloads", "--output-format", "json"]


class _Build(msgspec.Struct):
    """A Python as `uv python list` gives it."""

    version: str
    implementation: str
    url: str | None = None

    @property
    def made(self) -> list[datetime]:
        """The day that its address names, if it does."""
        day = re.search(r"/(20\d{6})/", self.url or "")
        return [datetime.strptime(day[1], "%Y%m%d").replace(tzinfo=UTC)] if day else []


def pythons(settings: dict[str, str]) -> tuple[IndexRelease, ...]:
    """Minor versions of CPython that uv can fetch for this machine, oldest first.

    uv brings the list along, so no network is asked, and it is as new as uv itself. It has no dates
    of releases, but each build's address names the day that it was made: the first build that uv
    offers of a minor version says by when that was out.

    Args:
        settings: variables for uv.

    Returns:
        Nothing if uv cannot tell.
    """
    try:
        builds = msgspec.json.decode(run_uv(_LIST, settings), type=tuple[_Build, ...])
    except (InstallError, msgspec.DecodeError):
        return ()
    found: dict[Version, list[datetime]] = {}
    for build in builds:
        version = Version(build.version)
        if build.implementation == "cpython" and not version.is_prerelease:
            found.setdefault(Version(f"{version.major}.{version.minor}"), []).extend(build.made)
    return tuple(
        IndexRelease(str(minor), min(found[minor], default=None)) for minor in sorted(found)
    )
