"""Where a project keeps what it built and measured: `.ckptmatrix` beside its `matrix.toml`."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Home:
    """The working folder; everything in it can be deleted and is made again."""

    root: Path
    """The folder itself."""

    @classmethod
    def of(cls, project: Path) -> "Home":
        """The home of a project: `$CKPTMATRIX_HOME`, or `.ckptmatrix` in its folder."""
        return cls(Path(os.environ.get("CKPTMATRIX_HOME") or project / ".ckptmatrix").resolve())

    @property
    def environments(self) -> Path:
        """Virtual environments."""
        return self.root / "environments"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints, each with the truth beside it."""
        return self.root / "checkpoints"

    @property
    def bundles(self) -> Path:
        """Copies of the code that runs inside environments."""
        return self.root / "bundles"

    @property
    def logs(self) -> Path:
        """What workers wrote to standard error."""
        return self.root / "logs"

    @property
    def index(self) -> Path:
        """What the package index said last."""
        return self.root / "index.json"

    @property
    def outcomes(self) -> Path:
        """Measured outcomes, one database."""
        return self.root / "outcomes.sqlite"


def digest(*parts: Any) -> str:
    """SHA-256 over JSON-able parts, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
