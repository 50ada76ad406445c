"""The finding of a run as a file, and back.

`compact` is what a run leaves and every command reads, `expanded` the same written out for other
programs; `reading` takes either.
"""
