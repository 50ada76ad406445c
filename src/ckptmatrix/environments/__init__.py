"""Environments: installed by uv, described, lent to workers; and what a worker is asked."""
