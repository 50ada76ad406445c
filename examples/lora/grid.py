"""What of `train.py` is put to the test."""

import train

from ckptmatrix.worker.script import Script

lora = Script(
    train.train,
    watch=("state",),  # what the hooks write and read
    files=(("train_state.json", "hook_files"),),
    since="0.16.0",  # the first release with hooks
)
