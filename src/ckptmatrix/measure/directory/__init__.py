"""A user's own directory, loaded for real in many environments, without the user's model code."""
