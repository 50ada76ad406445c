"""A pickle taken apart into its opcodes, as the unpickler written in C reads them or not at all.

The standard library's `pickletools` does it; where that unpickler could see something else (an
opcode across the end of a frame, a number that it reads in another way), it ends there.
"""

import io
import pickletools
import re
from collections.abc import Iterator
from typing import Any


def is_pickle(head: bytes) -> bool:
    """Whether an unpickler would find an opcode at the beginning; if not, it reads nothing."""
    return head[:1].decode("latin-1") in _CODES


_CODES = frozenset(opcode.code for opcode in pickletools.opcodes)
_NUMBERS = frozenset({"INT", "LONG", "GET", "PUT"})
_DECIMAL = re.compile(rb"-?(?:0|[1-9]\d{0,4000})L?\n|0[01]\n")


def opcodes(data: bytes) -> Iterator[tuple[pickletools.OpcodeInfo, Any, int]]:
    """Each opcode with its argument and the position behind it.

    Raises:
        ValueError: broken, or the unpickler written in C could read it in another way: it takes
            the bytes of a frame at once, and reads `I0x10` as a number.
    """
    stream = io.BytesIO(data)
    frame = 0
    begin = 0
    argument: Any
    for opcode, argument, _ in pickletools.genops(stream):
        end = stream.tell()
        if begin < frame < end:
            raise ValueError("an opcode lies across the end of a frame")
        if opcode.name == "FRAME":
            if begin < frame or end + argument > len(data):
                raise ValueError("a frame lies in a frame, or ends after the pickle")
            frame = end + argument
        elif opcode.name == "PROTO" and argument > 5:
            raise ValueError(f"protocol {argument}")
        elif opcode.name in _NUMBERS and not _DECIMAL.fullmatch(data[begin + 1 : end]):
            raise ValueError("a number in an unusual form")
        yield opcode, argument, end
        begin = end
