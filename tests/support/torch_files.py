"""Crafted files: what torch would write, and what an attacker would."""

import io
import json
import pickle
import zipfile


def torch_zip(data: bytes, records: dict[str, bytes] | None = None) -> bytes:
    """A torch archive around a `data.pkl`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        for name, content in {"byteorder": b"little", "version": b"3\n", **(records or {})}.items():
            archive.writestr(f"archive/{name}", content)
    return packed.getvalue()


def torch_file(value: object) -> bytes:
    """A torch archive around a plain value."""
    return torch_zip(pickle.dumps(value, 2))


def safetensors(tensors: dict[str, tuple[str, list[int], int]], *, missing: int = 0) -> bytes:
    """A safetensors file from name -> (dtype, shape, bytes), cut short by `missing` bytes."""
    header, end = {}, 0
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end - missing)
