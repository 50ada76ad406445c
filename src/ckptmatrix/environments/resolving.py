"""Which versions uv takes where a source leaves them open."""

import os
import tempfile
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ckptmatrix.environments.index import uv_settings
from ckptmatrix.environments.uv import InstallError, NotNowError, run_uv
from ckptmatrix.errors import NothingRanError
from ckptmatrix.plan.pinned import to_resolve, version_of
from ckptmatrix.plan.pins.pins import Pins


def resolved(pins: Pins) -> dict[str, str]:
    """Ask uv what it would install of what pins leave open; nothing is installed.

    Returns:
        Normalized name -> version; empty if nothing is open.

    Raises:
        UsageError: the pins name no accelerate, or are a whole lock without torch.
        NothingRanError: they cannot be had together, or uv cannot tell at present.
    """
    lines = [str(one) for one in to_resolve(pins)]
    if not lines:
        return {}
    with tempfile.NamedTemporaryFile("w", suffix=".in", encoding="utf-8") as file:
        Path(file.name).write_text("\n".join(lines), encoding="utf-8")
        command = ["pip", "compile", "--quiet", "--no-header", "--no-annotate"]
        settings = {**os.environ, **uv_settings(os.environ)}
        try:
            said = run_uv([*command, "--python-version", pins.python, file.name], settings)
        except NotNowError as error:
            raise NothingRanError(
                f"{pins.source} cannot be resolved at present: {error}",
                "check the network and the settings of pip or uv, and run again",
            ) from error
        except InstallError as error:
            raise NothingRanError(
                f"{pins.source} cannot be installed with Python {pins.python}: {error}",
                "name releases that the index has for it, or another --python",
            ) from error
    found: dict[str, str] = {}
    for line in said.splitlines():
        try:
            one = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:
            continue
        found[canonicalize_name(one.name)] = version_of(one)
    return found
