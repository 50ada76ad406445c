"""JSON out of a checkpoint, read in one way: a key that an object has twice is said.

Programs differ in which of two values they take, and so in what such a file says to them.
"""

import json
from typing import Any

from ckptmatrix.checkpoint.format.opening import UnreadableError


def read_document(data: bytes) -> tuple[Any, str]:
    """The value of a JSON text, and what is wrong with it all the same.

    Returns:
        The value, of two equal keys the last, as Python takes it; and one clause on the first key
        that an object has twice, empty if there is none.

    Raises:
        UnreadableError: it is no JSON, or nested too deep.
    """
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found and not twice:
                said = "twice; programs differ in which they take"
                twice.append(f"has the key {name[:80]!r} {said}")
            found[name] = value
        return found

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"is no valid JSON ({str(error)[:80]})") from error
    return value, "".join(twice)
