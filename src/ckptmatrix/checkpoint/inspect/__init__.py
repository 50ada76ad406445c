"""What a checkpoint directory is, read without running anything that is in it.

`gathering` reads files into `facts`; `provenance` and `training_stacks` draw conclusions from facts
by evidence; `prediction` says what a release makes of them. Only `gathering` and what it calls
touch the disk.
"""
