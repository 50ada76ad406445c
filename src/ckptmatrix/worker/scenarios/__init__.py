"""The scenarios, one file each, found by their file name: `mid_epoch.py` is `mid-epoch`.

Each file binds `scenario` to its subclass of `Scenario`.
"""
