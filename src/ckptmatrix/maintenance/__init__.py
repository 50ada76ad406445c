"""For those who carry ckptmatrix on: what measures the harness itself; no command of a user's."""
