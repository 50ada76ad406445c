"""What the structure of an optimizer's, scheduler's or random-state pickle says."""

from typing import Any

from ckptmatrix.checkpoint.format.inert import (
    InertCall,
    Items,
    Pairs,
    get,
    keys_of,
    members_of,
    pairs_of,
)
from ckptmatrix.checkpoint.format.numpy_core import NumpyCore
from ckptmatrix.checkpoint.format.random_states import RandomKey
from ckptmatrix.checkpoint.format.tensors import function_of, tensor_of, tensors_of
from ckptmatrix.checkpoint.inspect.facts import (
    DECOUPLED,
    EngineFact,
    OptimizerFact,
    RandomFact,
    SchedulerFact,
    ZeroFact,
)
from ckptmatrix.checkpoint.inspect.fingerprints import PlainValues, guess_optimizer, guess_scheduler


def _whole(value: Any) -> int | None:
    """A plain whole number that fits 63 bits; None for anything else."""
    return value if type(value) is int and abs(value) < 1 << 63 else None


def _plain(group: Any) -> PlainValues:
    return {
        key: value
        for key, value in pairs_of(group)
        if isinstance(key, str) and (value is None or isinstance(value, bool | int | float | str))
    }


def optimizer_fact(index: int, file: str, value: Any) -> OptimizerFact:
    """Describe `optimizer[_i].bin`, whose value is `{"state": {...}, "param_groups": [...]}`."""
    groups = members_of(get(value, "param_groups"))
    first = groups[0] if groups else None
    states = [state for _, state in pairs_of(get(value, "state"))]
    state_keys = keys_of(states[0]) if states else ()
    dtypes: dict[str, int] = {}
    for spec in tensors_of(get(value, "state"), 2):
        dtypes[spec.dtype] = dtypes.get(spec.dtype, 0) + 1
    rates = tuple(
        float(rate)
        for group in groups
        if isinstance(rate := get(group, "lr"), int | float) and abs(rate) < 1e300
    )
    return OptimizerFact(
        index=index,
        file=file,
        candidates=guess_optimizer(_plain(first), keys_of(first), state_keys),
        parameters=sum(len(members_of(get(group, "params"))) for group in groups),
        groups=len(groups),
        group_keys=keys_of(first),
        state_keys=state_keys,
        learning_rates=rates,
        steps=_whole(get(states[0], "step")) if states else None,
        dtypes=dtypes,
        by_name=any(
            isinstance(name, str) for group in groups for name in members_of(get(group, "params"))
        ),
        one_step=_one_step(states),
    )


_BY_VALUE = {DECOUPLED}
"""Keys of a group that tell classes apart by their values, which are in the shards themselves."""


def sharded_optimizer_fact(index: int, file: str, value: Any) -> OptimizerFact:
    """Describe the `.metadata` of an optimizer's shards.

    Args:
        index: which of the prepared optimizers.
        file: its path.
        value: the description, whose `planner_data` maps each flat name to its path, such as
            `("optimizer", "state", "0.weight", "exp_avg")`, in the order of the saved state.
    """
    parts = value.state if isinstance(value, InertCall) else None
    paths = [members_of(path) for _, path in pairs_of(get(parts, "planner_data"))]
    states = [path[2:] for path in paths if len(path) == 4 and path[1] == "state"]
    groups = [path[2:] for path in paths if len(path) == 4 and path[1] == "param_groups"]
    names = list(dict.fromkeys(str(name) for name, _ in states))
    state_keys = tuple(str(key) for name, key in states if str(name) == names[0])
    group_keys = tuple(str(key) for number, key in groups if number == 0)
    return OptimizerFact(
        index=index,
        file=file,
        candidates=guess_optimizer({}, tuple(set(group_keys) - _BY_VALUE), state_keys),
        parameters=len(names),
        groups=len({str(number) for number, _ in groups}),
        group_keys=group_keys,
        state_keys=state_keys,
        learning_rates=(),
        steps=None,
        dtypes={},
        by_name=any(not name.isdecimal() for name in names),
    )


def _one_step(states: list[Any]) -> bool:
    """Whether the counts of steps of several parameters are one tensor."""
    steps = [step for state in states if (step := tensor_of(get(state, "step"))) is not None]
    return len({step.storage for step in steps}) < len(steps)


def scheduler_fact(index: int, file: str, value: Any) -> SchedulerFact:
    """Describe `scheduler[_i].bin`, whose value is the scheduler's `__dict__`, mostly."""
    keys = keys_of(value)
    return SchedulerFact(index, file, guess_scheduler(keys), _whole(get(value, "last_epoch")), keys)


def random_fact(rank: int, file: str, value: Any, records: dict[str, int]) -> RandomFact:
    """Describe `random_states_N.pkl`.

    Args:
        rank: N.
        file: its name.
        value: the dict that `save_accelerator_state` builds.
        records: records of its archive and their sizes, for the size of a CUDA state.
    """
    keys = keys_of(value)
    cuda = get(value, RandomKey.CUDA.value)
    states = [tensor_of(state) for state in members_of(cuda)]
    sizes = [records.get(f"data/{state.storage}", 0) for state in states if state is not None]
    return RandomFact(
        rank=rank,
        file=file,
        keys=keys,
        step=_whole(get(value, RandomKey.STEP.value)),
        numpy=_numpy_spelling(get(value, RandomKey.NUMPY.value)),
        cuda=len(states) if RandomKey.CUDA in keys else None,
        cuda_bytes=max(sizes) if sizes else None,
    )


def zero_fact(file: str, value: Any) -> ZeroFact | None:
    """Describe `zero_pp_rank_N_mp_rank_00_optim_states.pt`; None if it tells no stage of ZeRO."""
    state = get(value, "optimizer_state_dict")
    stage, version = get(state, "zero_stage"), get(value, "ds_version")
    number = members_of(stage.arguments)[:1] if isinstance(stage, InertCall) else [stage]
    if number and type(number[0]) is int and number[0] in (1, 2, 3):
        known = isinstance(version, str) and len(version) < 40
        return ZeroFact(file, number[0], version if known else "", _scheduled(state))
    return None


_INNER = ("base_optimizer_state", "optimizer_state_dict")
"""Where the state of torch's optimizer lies in DeepSpeed's: up to ZeRO-2, and of ZeRO-3."""


def _scheduled(state: Any) -> bool:
    """Whether torch's optimizer inside keeps the `initial_lr` that a scheduler leaves."""
    groups = [group for key in _INNER for group in members_of(get(get(state, key), "param_groups"))]
    return any("initial_lr" in keys_of(group) for group in groups)


def engine_fact(file: str, value: Any) -> EngineFact | None:
    """Describe `mp_rank_00_model_states.pt` (ZeRO-3: one for each process); None if it does not
    say whether DeepSpeed kept a schedule."""
    if "lr_scheduler" not in keys_of(value):
        return None
    schedule = get(value, "lr_scheduler")
    if schedule is None:
        return EngineFact(file, None)
    return EngineFact(file, keys_of(schedule)[:100]) if isinstance(schedule, Pairs) else None


def _numpy_spelling(state: Any) -> str:
    """How the array of numpy's legacy state `("MT19937", array, pos, has_gauss, gauss)` is kept."""
    members = members_of(state)
    if len(members) < 2:
        return ""
    if isinstance(members[1], Items):
        return "plain"
    path = function_of(members[1])
    return next((core.value for core in NumpyCore if path.startswith(f"{core}.")), "")
