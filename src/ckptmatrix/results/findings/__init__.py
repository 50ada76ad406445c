"""Questions that a finished matrix answers: all pure, none measures anything.

`axis` orders and groups, `tally` counts, `load_index` finds loads, `cause_areas`, `regions` and
`swaps` find what decides a failure, `comparison` compares two runs and `detours` finds ways round.
"""
