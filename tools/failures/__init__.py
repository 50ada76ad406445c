"""Cases of `tools/raise_failures.py`: each function saves or loads something and fails for real."""
