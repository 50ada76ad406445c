"""A checkpoint of FSDP, in shards, of a release that saves no `step`: repaired, it is whole."""

from dataclasses import replace

import pytest

from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Environment, Status, Treatment

pytestmark = pytest.mark.environments

WITHOUT_STEP = Environment("0.31.0", "torch2.4-np1")
ASKING_FOR_IT = Environment("0.33.0", "torch2.4-np1")


def test_shards_that_a_release_refuses_load_from_the_copy(lab: Lab) -> None:
    saved = Cell(WITHOUT_STEP, ASKING_FOR_IT, "fsdp-2-sharded")
    plain = lab.outcome(saved)
    assert plain.status is Status.FAILED
    assert plain.error is not None
    assert plain.error.message == "'step'"
    repaired = lab.outcome(replace(saved, treatment=Treatment.REPAIRED))
    assert repaired.status is Status.EXACT
    assert {repaired.components[name] for name in ("model", "optimizer")} == {"restored"}
