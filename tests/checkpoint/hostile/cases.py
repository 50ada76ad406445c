"""Every case, by name."""

from tests.checkpoint.hostile.case import Case
from tests.checkpoint.hostile.damaged_cases import damaged
from tests.checkpoint.hostile.forged_cases import forged
from tests.checkpoint.hostile.layout_cases import layouts
from tests.checkpoint.hostile.naming_cases import named_files
from tests.checkpoint.hostile.other_cases import around, bombs, keys, on_disk, safetensors
from tests.checkpoint.hostile.sharded_cases import parts, shards
from tests.checkpoint.hostile.unread_cases import unread

CASES: dict[str, Case] = {
    case.name: case
    for group in (
        named_files(), layouts(), unread(), forged(), damaged(), safetensors(), bombs(), around(),
        on_disk(), shards(), parts(), keys(),
    )
    for case in group
}  # fmt: skip
"""Every case, by name."""
