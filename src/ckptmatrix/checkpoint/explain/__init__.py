"""What a traceback or a training log says: which release, which failure, what to do.

`traces` takes the text apart, `lines` knows which release has which line, `catalogue` holds the
failure modes (one file each in `modes/`), `diagnosis` puts them together.
"""
