"""Runs inside an environment: writes the files of torch's in a directory anew, in the format from
before torch 1.6.

python making_old.py DIRECTORY
"""

import sys
from pathlib import Path

import torch

for path in Path(sys.argv[1]).iterdir():
    if path.suffix in (".bin", ".pkl"):
        content = torch.load(path, weights_only=False)
        torch.save(content, path, _use_new_zipfile_serialization=False)
