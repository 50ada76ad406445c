"""Neutral states read without torch."""

import json
from pathlib import Path
from typing import Any

ABSENT = {"~": "absent"}

Leaves = dict[str, tuple[Any, ...]]


def leaves_of(stem: Path) -> dict[str, Leaves]:
    """Component -> path -> leaf, of a neutral state on disk; absent components left out."""
    data = stem.with_suffix(".safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    arrays = {
        name: data[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]]
        for name, entry in header.items()
        if name != "__metadata__"
    }
    found: dict[str, Leaves] = {}
    for name, tree in json.loads(stem.with_suffix(".json").read_text()).items():
        if tree != ABSENT:
            found[name] = {}
            _flatten(tree, arrays, "", found[name])
    return found


def _flatten(tree: Any, arrays: dict[str, bytes], path: str, found: Leaves) -> None:
    if isinstance(tree, list) or (isinstance(tree, dict) and tree["~"] == "tuple"):
        items = tree if isinstance(tree, list) else tree["items"]
        found[f"{path}/#"] = (type(tree).__name__, len(items))
        for index, item in enumerate(items):
            _flatten(item, arrays, f"{path}/{index}", found)
    elif isinstance(tree, dict) and tree["~"] == "dict":
        for key, item in tree["items"]:
            _flatten(item, arrays, f"{path}/{key}", found)
    elif isinstance(tree, dict):
        kept = {key: value for key, value in tree.items() if key != "key"}
        raw = arrays[tree["key"]] if "key" in tree else b""
        found[path] = (json.dumps(kept, sort_keys=True), raw)
    else:
        found[path] = (type(tree).__name__, tree)
