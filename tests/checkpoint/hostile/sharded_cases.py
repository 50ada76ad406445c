"""The parts of a state that FSDP and DeepSpeed leave in folders."""

from collections.abc import Callable, Iterator
from pathlib import Path

from tests.checkpoint.hostile.case import ANY, RUN, Case, D, N, X
from tests.checkpoint.hostile.opcodes import Code, archive, call, code, named, pickled

SHARD, INDEX = "optimizer_0/__0_0.distcp", "optimizer_0/.metadata"
PART, TAG = "pytorch_model/mp_rank_00_model_states.pt", "latest"
SOUND = archive({"step": 1})
_METADATA = "torch.distributed.checkpoint.metadata"


def _new(path: str, fields: dict[str, object]) -> Code:
    """An object without arguments that is given its fields."""
    return Code(named(path).opcodes + b")\x81" + code(fields) + b"b")


def index(*places: tuple[str, int, int], evil: object = None) -> bytes:
    """A `.metadata` whose pieces lie in these files at these places."""
    found = {}
    for number, (file, begin, length) in enumerate(places):
        fields: dict[str, object] = {"relative_path": file, "offset": begin, "length": length}
        found[str(number)] = _new("torch.distributed.checkpoint.filesystem._StorageInfo", fields)
    fields = {"state_dict_metadata": {}, "planner_data": evil, "storage_data": found}
    return b"\x80\x02" + code(_new(f"{_METADATA}.Metadata", fields)) + b"."


def sharded(directory: Path, shard: bytes = SOUND, described: bytes = b"") -> None:
    """Put a folder of shards into a checkpoint."""
    (directory / "optimizer_0").mkdir()
    (directory / SHARD).write_bytes(shard)
    (directory / INDEX).write_bytes(described or index(("__0_0.distcp", 0, len(shard))))


def in_parts(directory: Path, part: bytes = SOUND, tag: str = "pytorch_model") -> None:
    """Put DeepSpeed's folder into a checkpoint."""
    (directory / "pytorch_model").mkdir()
    (directory / PART).write_bytes(part)
    (directory / TAG).write_text(tag)


def shards() -> Iterator[Case]:
    size = len(SOUND)
    for name, expected, content in (
        ("runs", D, archive(RUN)),
        ("is a bare pickle", D, pickled(RUN)),
        ("is empty", X, b""),
    ):
        yield Case(f"a shard that {name}", expected, _with(shard=content), SHARD)
    for name, expected, described in (
        ("cut", X, index(("__0_0.distcp", 0, size + 1))),
        ("with more behind", X, index(("__0_0.distcp", 0, size - 1))),
        ("that overlaps itself", D, index(*[("__0_0.distcp", 0, size)] * 2)),
        ("with a gap", D, index(("__0_0.distcp", 1, size - 1))),
    ):
        # Sound as a file; what describes it says otherwise.
        yield Case(f"a shard {name}", expected, _with(described=described), INDEX)
    here = ("__0_0.distcp", 0, size)
    for name, expected, described in (
        ("that runs", D, index(here, evil=RUN)),
        ("that is broken", D, index(here)[:-1]),
        ("of a missing shard", X, index(here, ("__1_0.distcp", 0, 1))),
        ("that leads out", X, index(here, ("../../outside.distcp", 0, 1))),
        ("that leads to another folder", X, index(here, ("../optimizer.bin", 0, 1))),
        ("that takes itself for a shard", X, index(here, (".metadata", 0, 1))),
    ):
        yield Case(f"a .metadata {name}", expected, _with(described=described), INDEX)
    yield Case("a shard that is a link out", X, _linked(SHARD))
    yield Case("shards, sound", ANY, sharded)
    yield Case("shards that a .metadata at the top takes for its own", ANY, _of_the_state)


def _with(**parts: bytes) -> Callable[[Path], object]:
    return lambda directory: sharded(directory, **parts)


def _linked(file: str) -> Callable[[Path], object]:
    def change(directory: Path) -> None:
        sharded(directory)
        outside = directory.parent / "outside"
        outside.write_bytes((directory / file).read_bytes())
        (directory / file).unlink()
        (directory / file).symlink_to("../../outside")

    return change


def _of_the_state(directory: Path) -> None:
    """A damaged file does not become a sound one because a `.metadata` names it as a shard."""
    (directory / "scheduler.bin").write_bytes(b"")
    (directory / ".metadata").write_bytes(index(("scheduler.bin", 0, 0)))


def parts() -> Iterator[Case]:
    yield Case("a part that runs", D, lambda d: in_parts(d, archive(RUN)), PART)
    yield Case("a part that is cut", X, lambda d: in_parts(d, SOUND[:-10]), PART)
    yield Case("a part that is a bare pickle", D, lambda d: in_parts(d, pickled(RUN)), PART)
    yield Case("parts, sound", ANY, in_parts)
    yield Case("parts of a tag that leads out", ANY, lambda d: in_parts(d, tag="../outside"))
    yield Case("a tag that is a pickle", D, lambda d: (d / TAG).write_bytes(pickled(RUN, 0)))
    deep = call("deepspeed.runtime.fp16.loss_scaler.LossScaler")
    yield Case("parts with DeepSpeed's own classes", N, lambda d: in_parts(d, archive(deep)))
