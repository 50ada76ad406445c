"""From outcomes to the matrix, its findings and its reports."""
