"""A real run, small enough to be read by many tests: tier `eras`, scenario `basic`, as it is today.

`basic.json.gz` is taken from the committed sample (`python -m tests.data.runs`), so it is
measured, too.
"""
