"""ckptmatrix: know before you upgrade whether your accelerate checkpoints will still resume."""

__version__ = "0.1.0"
