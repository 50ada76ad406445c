"""Weights that are there in two formats: do both files hold the same numbers?

A few bytes of a few tensors are compared, so that size costs nothing. Weights that were trained
on between two saves differ in nearly every number; a file that was converted differs in none.
"""

from pathlib import Path

from ckptmatrix.checkpoint.format.dtypes import BY_CODE
from ckptmatrix.checkpoint.format.opening import UnreadableError, open_inside
from ckptmatrix.checkpoint.format.safetensors import TensorSpec, read_header
from ckptmatrix.checkpoint.format.torch_file import read_torch_file
from ckptmatrix.checkpoint.inspect.facts import ModelFact

SAMPLE_TENSORS = 64
"""Tensors that are compared."""
SAMPLE_BYTES = 64
"""Bytes of each that are compared."""


def same_numbers(root: Path, safe: ModelFact, pickled: ModelFact) -> bool:
    """Whether samples of both files agree; False if that cannot be found out.

    Args:
        root: directory of the checkpoint.
        safe: the model as safetensors.
        pickled: the same model as a pickle.
    """
    others = {spec.name: spec for spec in pickled.tensors if spec.offset == 0}
    common = [(spec, others[spec.name]) for spec in safe.tensors if spec.name in others]
    if not common or any(one.dtype != two.dtype or one.shape != two.shape for one, two in common):
        return False
    chosen = common[:: max(1, len(common) // SAMPLE_TENSORS)][:SAMPLE_TENSORS]
    try:
        return _samples_agree(root, safe.file, pickled.file, chosen)
    except (UnreadableError, OSError, ValueError):
        return False  # damaged in a place that the descriptions do not show


def _samples_agree(
    root: Path, safe: str, pickled: str, chosen: list[tuple[TensorSpec, TensorSpec]]
) -> bool:
    samples: dict[str, bytes] = {}
    with open_inside(root, pickled) as stream:
        records = read_torch_file(stream)[0].records
        for key in {two.storage for _, two in chosen}:
            if record := records.get(f"data/{key}"):
                stream.seek(record.offset)
                samples[key] = stream.read(min(record.size, SAMPLE_BYTES))
    with open_inside(root, safe) as stream:
        start = read_header(stream).start
        for one, two in chosen:
            stream.seek(start + one.offset)
            theirs = samples.get(two.storage, b"")
            mine = stream.read(SAMPLE_BYTES)
            # A small tensor ends before the sample does.
            length = min(len(theirs), one.numel * _width(one.dtype))
            if mine[:length] != theirs[:length]:
                return False
    return True


def _width(dtype: str) -> int:
    """Bytes of one element; of an unknown type as few as it can have."""
    return BY_CODE[dtype].width if dtype in BY_CODE else 1
