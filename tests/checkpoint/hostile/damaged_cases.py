"""Files that were lost in part or exchanged for something else."""

import pickle
from collections.abc import Iterator

from tests.checkpoint.hostile.case import STATES, Case, X, cut, put
from tests.checkpoint.hostile.opcodes import entries, zipped


def damaged() -> Iterator[Case]:
    for file in STATES:
        for name, data in {
            "empty": b"",
            "zeros": bytes(100),
            "a lost block": bytes(5000),
            "a pointer of LFS": b"version https://git-lfs.github.com/spec/v1\nsize 1\n",
            "a page": b"<!DOCTYPE html><html><body>404</body></html>",
            "JSON": b'{"error": "not found"}',
            "only its first bytes": b"PK\3\4",
        }.items():
            yield put(name, X, data, file)
        for kept in (0.3, 0.9):
            yield Case(f"cut to {kept} [{file}]", X, cut(file, kept), file)
    for file in STATES[:3]:
        roots: dict[str, object] = {"a list": [], "nothing": None, "a number": 1, "a text": "x"}
        for name, value in roots.items():
            data = zipped(entries(pickle.dumps(value, 2)))
            yield put(f"holds {name}", X, data, file)
