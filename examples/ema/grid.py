"""What of `train.py` is put to the test."""

import train

from ckptmatrix.worker.script import Script

ema = Script(
    train.train,
    watch=("average",),
    files=(("model/*", "model"), ("ema.pt", "hook_files")),
    since="0.16.0",  # the first release with hooks
)
