"""The package index: which releases there are, and what the machine's settings say of wheels.

pip is asked for the settings, since it knows every place that they may lie in.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version
from pip._internal.models.index import PyPI  # the only place that names pip's default

from ckptmatrix.environments.simple_page import ListedFile, PageError, files_at
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.plan.newer import IndexRelease

_FOR_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}
"""pip's setting -> uv's variable for the same."""


def uv_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """What to add to the environment so that uv looks for wheels where pip would.

    What is set for uv already is left as it is.
    """
    already = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}
    found = {}
    for setting, value in _pip_settings().items():
        variable = _FOR_UV.get(setting)
        if variable and variable not in environ and already.get(variable, "") not in environ:
            # pip separates several places by white space; uv's find-links by commas.
            places = [place for place in value.split() if _exists(place)]
            if places:
                found[variable] = ("," if setting == "find-links" else " ").join(places)
    if "UV_INDEX" in found:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip looks at all indexes alike
    return found


def _exists(place: str) -> bool:
    """False for a local place that is not there, over which uv would stumble and pip does not."""
    path = place.removeprefix("file://")
    return not path.startswith("/") or Path(path).exists()


def _pip_settings() -> dict[str, str]:
    """pip's settings without their scope; the environment's win over the files'."""
    mine = sorted(item for item in os.environ.items() if item[0].startswith("PIP_"))
    listed = _pip_config(tuple(mine))
    settings: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = value.strip("'\"").replace("\\n", " ")
    return settings


@cache
def _pip_config(environ: tuple[tuple[str, str], ...]) -> str:
    """What pip lists; asked once in a process as long as pip's variables are these."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Places:
    """Where wheels are looked for."""

    indexes: tuple[str, ...]
    """URLs; a package's page lies below each."""
    find_links: tuple[str, ...]
    """Folders or pages that hold files of any package."""
    certificates: str
    """File of the authorities to trust; empty for the usual ones."""


def places(environ: Mapping[str, str]) -> Places:
    """Where uv looks for wheels, by its own variables and else by pip's settings."""
    settings = {**environ, **uv_settings(environ)}
    indexes = [
        settings.get("UV_DEFAULT_INDEX") or settings.get("UV_INDEX_URL") or PyPI.simple_url,
        *settings.get("UV_INDEX", "").split(),
        *settings.get("UV_EXTRA_INDEX_URL", "").split(),
    ]
    if _pip_settings().get("no-index", "").lower() in ("1", "true", "yes", "on"):
        indexes = []
    # uv lets an index have a name: `mirror=https://...`.
    urls = (re.sub(r"^[\w.-]+=(?=\w+:)", "", index).rstrip("/") for index in indexes)
    links = (place.strip() for place in settings.get("UV_FIND_LINKS", "").split(","))
    certificates = settings.get("SSL_CERT_FILE", "")
    return Places(tuple(dict.fromkeys(urls)), tuple(filter(None, links)), certificates)


def releases(package: str, timeout: float = 30) -> tuple[IndexRelease, ...]:
    """Every release of a package, wherever uv would look for it, oldest first.

    Pre-releases, and releases of which every file was withdrawn, do not count.

    Args:
        package: its name on the index.
        timeout: seconds to wait for each answer.

    Raises:
        CkptmatrixError: an index could not be asked, or there is no release.
    """
    where = places(os.environ)
    name = canonicalize_name(package)
    found: dict[Version, list[ListedFile]] = {}
    for url in (*(f"{index}/{name}/" for index in where.indexes), *where.find_links):
        try:
            files = files_at(url, where.certificates, timeout)
        except PageError as error:
            raise _unasked(package, str(error), url) from error
        for file in files:
            version = _version_of(file.filename, name)
            if version and not file.yanked and not version.is_prerelease:
                found.setdefault(version, []).append(file)
    if not found:
        raise _unasked(package, "it has none")
    return tuple(_release(version, found[version]) for version in sorted(found))


def released(package: str) -> tuple[str, ...]:
    """The versions of `releases`.

    Raises:
        CkptmatrixError: the index could not be asked.
    """
    return tuple(release.version for release in releases(package))


def _version_of(filename: str, package: NormalizedName) -> Version | None:
    """The version of a wheel or source archive, without its local part; None if it is no such."""
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
        else:
            name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return Version(version.public) if name == package else None


def _release(version: Version, files: Iterable[ListedFile]) -> IndexRelease:
    uploaded = [
        # Times are in UTC (PEP 700), also where an index forgets to say so.
        time if time.tzinfo else time.replace(tzinfo=UTC)
        for time in (file.upload_time for file in files)
        if time
    ]
    requires = (file.requires_python for file in files if _is_specifier(file.requires_python))
    return IndexRelease(str(version), min(uploaded, default=None), next(requires, "") or "")


def _is_specifier(text: str | None) -> bool:
    """Whether Pythons can be compared with it; old releases have what cannot."""
    try:
        return bool(text and SpecifierSet(text))
    except InvalidSpecifier:
        return False


def _unasked(package: str, why: str, url: str = "") -> CkptmatrixError:
    place = f" at {url}" if url else ""
    told = f"the package index{place} could not be asked for the releases of {package}: {why}"
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    return CkptmatrixError(
        told.replace(user + at, "") if user else told,  # never the user and the password
        "check the network and pip's index settings; `ckptmatrix run --accelerate` needs no index "
        "to name releases",
    )
