"""The package index: which releases there are, and what the machine's settings say of wheels.

pip is asked for both, since it knows every place such settings may lie in.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ckptmatrix.errors import CkptmatrixError

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
    listed = _pip("config", "list")
    settings: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = value.strip("'\"").replace("\\n", " ")
    return settings


@cache
def released(package: str) -> tuple[str, ...]:
    """Every release of a package on the index, oldest first; asked once in a process.

    Raises:
        CkptmatrixError: the index could not be asked.
    """
    try:
        answer = json.loads(_pip("index", "versions", package, "--json"))
    except (subprocess.CalledProcessError, json.JSONDecodeError) as error:
        said = (getattr(error, "stderr", "") or "").strip().splitlines()
        raise CkptmatrixError(
            f"the package index could not be asked for the releases of {package}"
            + (f": {said[-1]}" if said else ""),
            "check the network and pip's index settings, or name releases with --accelerate",
        ) from None
    return tuple(reversed(answer["versions"]))


def _pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
