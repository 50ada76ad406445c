"""The loaders under test, one file each: a function `load_state(accelerator, directory)`."""
