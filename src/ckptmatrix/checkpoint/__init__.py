"""A checkpoint directory as data: read, explained and repaired; nothing in it is ever run."""
