"""JSON of values that hold texts out of checkpoints."""

import json

import msgspec


def encode_json(value: object) -> bytes:
    """Give any value as JSON, also if a text in it is no Unicode.

    A file name that is no UTF-8 reaches Python with lone surrogates; they become `?`.
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode("utf-8", "replace")
