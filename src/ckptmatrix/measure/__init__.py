"""Checkpoints are written, treated and loaded; outcomes are judged, controlled and kept."""
