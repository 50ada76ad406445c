"""`ckptmatrix check`: two environments built, measured both ways, and judged as `upgrade` judges.

Nothing is judged here: what is measured becomes a matrix, and `results/verdict` decides.
"""
