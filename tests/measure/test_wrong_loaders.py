"""Many loaders in one module, each wrong in its own way: none passes, none by another's name."""

from pathlib import Path

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Status
from ckptmatrix.plan.config import read_config
from ckptmatrix.util.home import Home
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

MODULE = """
import copy
import random

import numpy as np
import torch


def native(accelerator, directory):
    accelerator.load_state(directory)


def nothing(accelerator, directory):
    pass


def wrong(after=None, keep=None):
    \"\"\"A loader that keeps something as it was before, or spoils something after the load.\"\"\"

    def load(accelerator, directory):
        kept = keep and keep[0](accelerator)
        accelerator.load_state(directory)
        if keep:
            keep[1](accelerator, kept)
        if after:
            after(accelerator)

    return load


def held(part):
    return (
        lambda a: copy.deepcopy(part(a).state_dict()),
        lambda a, state: part(a).load_state_dict(state),
    )


def model(a):
    return a._models[0]


def optimizer(a):
    return a._optimizers[0]


def scheduler(a):
    return a._schedulers[0]


def custom(a):
    return a._custom_objects[0]


def states(a):
    return list(optimizer(a).state.values())


def flip(a):
    model(a)[0].weight.data.view(torch.int32)[0, 0] ^= 1


def half(a):
    for parameter in model(a).parameters():
        parameter.data = parameter.data.half().float()


def set_step(change):
    def act(a):
        a.step = change(a.step)

    return act


def set_group(name, change):
    def act(a):
        group = optimizer(a).param_groups[0]
        group[name] = change(group[name])

    return act


def swap_moments(a):
    one = states(a)[0]
    one["exp_avg"], one["exp_avg_sq"] = one["exp_avg_sq"], one["exp_avg"].abs()


def zero(name):
    def act(a):
        for state in states(a):
            state[name].zero_()

    return act


def replaced(a):
    \"\"\"The optimizer goes on with parameters that the model has not.\"\"\"
    layer = model(a)[0]
    layer.weight = torch.nn.Parameter(layer.weight.detach().clone())


# fmt: off
weights_kept = wrong(keep=held(model))
optimizer_kept = wrong(keep=held(optimizer))
scheduler_kept = wrong(keep=held(scheduler))
custom_kept = wrong(keep=held(custom))
python_kept = wrong(keep=(lambda a: random.getstate(), lambda a, s: random.setstate(s)))
numpy_kept = wrong(keep=(lambda a: np.random.get_state(), lambda a, s: np.random.set_state(s)))
torch_kept = wrong(keep=(lambda a: torch.get_rng_state(), lambda a, s: torch.set_rng_state(s)))
python_drawn = wrong(lambda a: random.random())
numpy_drawn = wrong(lambda a: np.random.rand())
torch_drawn = wrong(lambda a: torch.rand(1))
all_seeded = wrong(lambda a: (random.seed(0), np.random.seed(0), torch.manual_seed(0)))
bit_flipped = wrong(flip)
half_precision = wrong(half)
statistics_reset = wrong(lambda a: model(a)[1].reset_running_stats())
batches_uncounted = wrong(lambda a: model(a)[1].num_batches_tracked.zero_())
layer_frozen = wrong(lambda a: model(a)[0].requires_grad_(False))
evaluating = wrong(lambda a: model(a).eval())
less_dropout = wrong(lambda a: setattr(model(a)[3], "p", 0.1))
parameter_replaced = wrong(replaced)
optimizer_emptied = wrong(lambda a: optimizer(a).state.clear())
moments_zero = wrong(zero("exp_avg"))
squares_zero = wrong(zero("exp_avg_sq"))
moments_swapped = wrong(swap_moments)
steps_uncounted = wrong(lambda a: [s["step"].zero_() for s in states(a)])
rate_doubled = wrong(set_group("lr", lambda rate: 2 * rate))
other_betas = wrong(set_group("betas", lambda betas: (0.8, betas[1])))
more_decay = wrong(set_group("weight_decay", lambda decay: decay + 0.1))
step_zero = wrong(set_step(lambda step: 0))
step_further = wrong(set_step(lambda step: step + 1))
scheduler_further = wrong(lambda a: setattr(scheduler(a).scheduler, "last_epoch", 5))
history_cut = wrong(lambda a: custom(a).history.pop())
mean_rounded = wrong(lambda a: setattr(custom(a), "mean", custom(a).mean.half().float()))
# fmt: on
"""
WRONG = ("nothing", *[line.split()[0] for line in MODULE.splitlines() if " = wrong(" in line])


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A project with all of them, and two scenarios that save the very same bytes."""
    (tmp_path / "my_loaders.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "my_scenarios.py").write_text(
        "from ckptmatrix.worker.scenarios.basic import Basic\n\n"
        "class One(Basic):\n    pass\n\n"
        "class Other(Basic):\n"
        "    def load(self, training, directory, load_state):\n        pass\n",
        encoding="utf-8",
    )
    entries = "".join(f'{name} = "my_loaders:{name}"\n' for name in ("native", *WRONG))
    scenarios = 'one = "my_scenarios:One"\nother = "my_scenarios:Other"\n'
    declared = (ROOT / "matrix.toml").read_text(encoding="utf-8")
    declared = declared.replace("[loaders]\n", f"[loaders]\n{entries}")
    declared = declared.replace("[scenarios]\n", f"[scenarios]\n{scenarios}")
    (tmp_path / "matrix.toml").write_text(declared, encoding="utf-8")
    return Lab(Site(read_config(tmp_path / "matrix.toml"), Home.of(ROOT)))


def test_each_is_caught_under_its_own_name(lab: Lab) -> None:
    assert len(WRONG) >= 25
    with lab:
        cells = [Cell(NEWEST, NEWEST, "basic", name) for name in ("native", *WRONG)]
        lab.forget(cells)
        assert len({lab.key(cell) for cell in cells}) == len(cells)
        found = {cell.loader: lab.outcome(cell) for cell in cells}
        known = {cell.loader: lab.known(cell) for cell in cells}
    assert known == found
    assert {name: record.loader for name, record in found.items()} == {name: name for name in found}
    passed = {name for name, record in found.items() if record.status == Status.EXACT}
    assert passed == {"native"}
    seen = {
        (frozenset(record.components.items()), record.resume and str(record.resume))
        for name, record in found.items()
        if name != "native"
    }
    assert len(seen) >= 25, "they were caught for what they do, not all for one thing"


def test_scenarios_with_the_same_bytes_have_outcomes_of_their_own(lab: Lab) -> None:
    with lab:
        one, other = (Cell(NEWEST, NEWEST, name) for name in ("one", "other"))
        assert lab.registry.written(NEWEST, "one").content == (
            lab.registry.written(NEWEST, "other").content
        )
        lab.forget([one, other])
        assert lab.key(one) != lab.key(other)
        assert lab.outcome(one).status == Status.EXACT
        assert lab.outcome(other).status == Status.DEGRADED
        known = lab.known(one), lab.known(other)
    assert [record and record.status for record in known] == [Status.EXACT, Status.DEGRADED]
