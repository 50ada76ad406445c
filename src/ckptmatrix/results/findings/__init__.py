"""Questions that a finished matrix answers: all pure, none measures anything.

`axis` orders and groups, `tally` counts, `cause_areas` and `regions` find what decides a failure,
`diff` compares two runs, `upgrade` judges one change of environment and `detours` finds ways round.
"""
