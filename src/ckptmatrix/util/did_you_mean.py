"""A name that is not there, and the one that was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Give `did you mean 'basic'? ` for a name like one that is known; empty if none is."""
    by_lower = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), by_lower, n=1)
    return f"did you mean {str(by_lower[found[0]])!r}? " if found else ""
