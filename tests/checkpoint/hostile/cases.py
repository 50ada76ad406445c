"""Every case, by name."""

from tests.checkpoint.hostile.case import Case
from tests.checkpoint.hostile.other_cases import around, bombs, keys, on_disk, safetensors
from tests.checkpoint.hostile.pickled_cases import damaged, forged, layouts, named_files, unread
from tests.checkpoint.hostile.sharded_cases import parts, shards

CASES: dict[str, Case] = {
    case.name: case
    for group in (
        named_files(), layouts(), unread(), forged(), damaged(), safetensors(), bombs(), around(),
        on_disk(), shards(), parts(), keys(),
    )
    for case in group
}  # fmt: skip
"""Every case, by name."""
