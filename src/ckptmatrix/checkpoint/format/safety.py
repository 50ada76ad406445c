"""Which of the names in a pickle are dangerous: picklescan's answer, on names read by us.

picklescan keeps the lists (what is harmless, what runs code) and is kept up by those who follow
the attacks. It is asked about exactly the names that following the opcodes found, put to it as a
pickle of bare names: its own search for them holds every opcode in memory and guesses at names
that are computed on the stack.
"""

import io
import logging
import re

from picklescan.scanner import SafetyLevel, scan_pickle_bytes

LEVELS = {
    SafetyLevel.Innocuous: "harmless",
    SafetyLevel.Suspicious: "unknown",
    SafetyLevel.Dangerous: "dangerous",
}
_EXTRA_HARMLESS = frozenset({"_codecs.encode"})
"""How torch's protocol 2 writes bytes; it turns text into bytes and no more."""
_HONEST = re.compile(r"[\w.\-<>]+", re.ASCII)

# It writes each finding to the log as well; the answer is enough.
logging.getLogger("picklescan").setLevel(logging.CRITICAL)


def rate_globals(names: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Rate each global.

    Args:
        names: (module, name) pairs as read from the opcodes.

    Returns:
        `module.name` -> `harmless`, `unknown` (on neither of picklescan's lists; often a class of
        the training script) or `dangerous`; sorted by name.
    """
    asked = bytearray()
    rated: dict[str, str] = {}
    for module, name in names:
        if _HONEST.fullmatch(module) and _HONEST.fullmatch(name):
            asked += f"c{module}\n{name}\n0".encode()
        else:
            rated[f"{module}.{name}"] = "dangerous"  # no honest module is called like that
    for found in scan_pickle_bytes(io.BytesIO(bytes(asked + b"N.")), "names").globals:
        path = f"{found.module}.{found.name}"
        rated[path] = "harmless" if path in _EXTRA_HARMLESS else LEVELS[found.safety]
    return dict(sorted(rated.items()))
