"""Questions that a finished matrix answers: all pure, none measures anything.

`axis` orders and groups, `tally` counts, `cause_areas`, `regions` and `swaps` find what decides a
failure, `comparison` compares two runs, `advice` judges one change of environment and `detours`
finds ways round.
"""
