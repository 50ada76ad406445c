"""Raise failures of saving and loading for real, and keep what a user would see of each.

    ENVIRONMENT/bin/python tools/raise_failures.py OUT CASE [CASE ...]

Runs inside an environment with torch and accelerate and needs nothing else but the modules beside
it; cases of other libraries (transformers, deepspeed, bitsandbytes) need these too. Each case is a
function in `failures/`; what it logs and the traceback it ends with go to
`OUT/CASE--VERSIONS.txt`, with the paths of the machine taken out. The examples in
`tests/checkpoint/explain/examples` were made so.
"""

from __future__ import annotations

import importlib
import io
import logging
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from accelerate import __version__

MODULES = ("random_states", "weights", "optimizers", "files", "sharded", "trainer")
INSTALLED = "/workspace/env/lib/python3.11/site-packages/"


def cases() -> dict[str, Callable[[str], None]]:
    """Every case by name."""
    found: dict[str, Callable[[str], None]] = {}
    for module in MODULES:
        content = vars(importlib.import_module(f"failures.{module}"))
        found |= {
            name: case
            for name, case in content.items()
            if getattr(case, "__module__", "") == f"failures.{module}" and not name.startswith("_")
        }
    return found


def anonymous(text: str, scratch: str) -> str:
    """The text with the machine's own paths replaced."""
    text = text.replace(scratch, "/workspace/outputs")
    text = re.sub(r'"[^"\n]*/site-packages/', f'"{INSTALLED}', text)
    text = re.sub(
        r'(^|["\s:\'])/(?!/|workspace/)[^"\s\']*?/(?=(?:accelerate|safetensors|numpy|torch|transformers)/)',
        rf"\g<1>{INSTALLED}",
        text,
    )
    text = re.sub(r'"(?!/workspace)[^"\n]*/lib/python3', '"/usr/lib/python3', text)
    own = r"(?:raise_failures|small_runs|failures/\w+)\.py"
    text = re.sub(rf"(?:/[\w.+-]+)+/{own}", "/workspace/train.py", text)
    return re.sub(r'"[^"\n]*/resume\.py"', '"/workspace/resume.py"', text)


def main() -> None:
    """Run the cases named on the command line, each in a directory of its own."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch_version = torch.__version__.partition("+")[0]
    versions = f"accelerate-{__version__}-torch-{torch_version}-numpy-{np.__version__}"
    layout = "%(levelname)s:%(name)s:%(message)s"
    logging.captureWarnings(True)
    known = cases()
    for name in sys.argv[2:]:
        log = io.StringIO()
        logging.basicConfig(stream=log, level=logging.INFO, force=True, format=layout)
        with tempfile.TemporaryDirectory() as scratch:
            try:
                known[name](os.path.join(scratch, "state"))  # noqa: PTH118
                ended = "(it returned)\n"
            except BaseException:  # noqa: BLE001  (whatever it raises is what is wanted)
                ended = traceback.format_exc()
            text = anonymous(log.getvalue() + ended, scratch)
        (out / f"{name}--{versions}.txt").write_text(text)
        print(name, text.splitlines()[-1][:150])


if __name__ == "__main__":
    main()
