"""What a shard's report says of the whole plan, so that shards can be merged."""

from ckptmatrix.environments.bundle import core_digest, repair_digest, source_digest
from ckptmatrix.model import ShardRecord
from ckptmatrix.plan.config import Config
from ckptmatrix.plan.planning import Plan
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.shards import Shard, plan_digest
from ckptmatrix.util.home import digest


def measuring_digest(plan: Plan, config: Config) -> str:
    """Digest of the code that measures a plan's cells, and repairs what they load."""
    named = [config.scenarios[name] for name in plan.scenarios] + list(config.loaders.values())
    return digest(
        core_digest(), repair_digest(), [source_digest(source, config.root) for source in named]
    )


def shard_record(selected: Selected, shard: Shard) -> ShardRecord:
    """What a shard's report says of the whole; `selected` is the whole plan."""
    plan = selected.plan
    return ShardRecord(
        shard.number,
        shard.of,
        plan_digest(plan),
        measuring_digest(plan, selected.config),
        tuple(environment.id for environment in plan.environments),
        tuple(dict.fromkeys(cell.loader for cell in plan.cells)),
        len(plan.cells),
        "" if selected.narrowed else selected.selection.tier,
    )
