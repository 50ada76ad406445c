"""May I upgrade? The verdict on one change of environment, by comparison with staying; all pure.

`staying` compares one load with what staying gives, `crossing` all scenarios of one way, `losses`
says what of the training is gone, `choices` lists what else could be done, `upgrade` puts the
verdict together; `resolving` finds the environments that are meant. `sentences`, `console`,
`markdown` and `answer` say it.
"""
