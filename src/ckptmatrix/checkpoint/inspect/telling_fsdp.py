"""Whether FSDP1 or FSDP2 wrote a directory, as far as its files tell."""

from collections.abc import Iterator
from enum import StrEnum

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ckptmatrix.checkpoint.format.names import is_of_fsdp
from ckptmatrix.checkpoint.inspect.facts import Facts
from ckptmatrix.checkpoint.inspect.provenance import About, Observation, provenance
from ckptmatrix.checkpoint.inspect.training_stacks import Sharded, recognise
from ckptmatrix.knowledge.releases import ACCELERATE, TORCH, FullySharded


class Fsdp(StrEnum):
    """A version of FSDP."""

    FSDP1 = "FSDP1"
    FSDP2 = "FSDP2"

    @property
    def number(self) -> int:
        """1 or 2."""
        return int(self.value[-1])


def candidates(facts: Facts) -> tuple[Fsdp, ...]:
    """The versions of FSDP that the script can use; none if it is no directory of FSDP's."""
    if recognise(facts).sharded is not Sharded.FSDP:
        return ()
    told = {Fsdp(seen.conclusion) for seen in _signs(facts)}
    return tuple(fsdp for fsdp in Fsdp if fsdp in told) or tuple(Fsdp)


def which_fsdp(facts: Facts) -> tuple[Observation, ...]:
    """The same with the evidence, for a directory of FSDP's."""
    if not candidates(facts):
        return ()
    unsaid = Observation(About.FSDP, "FSDP1 or FSDP2", "they are not told apart by these files")
    return tuple(_signs(facts)) or (unsaid,)


_MARKED = "torch._tensor._rebuild_from_type_v2"
"""What tensors with attributes are made by; FSDP1 marks those that it has gathered."""


def _signs(facts: Facts) -> Iterator[Observation]:
    for optimizer in facts.optimizers:
        if any("Adam" in name for name in optimizer.candidates) and "step" in optimizer.state_keys:
            first = optimizer.state_keys[0] == "step"
            seen = "in the optimizer's state `step` comes "
            seen += "first, as Adam makes it" if first else "last, as FSDP1 puts single numbers"
            yield Observation(About.FSDP, Fsdp.FSDP2 if first else Fsdp.FSDP1, seen)
        if optimizer.one_step:
            seen = "parameters have one tensor `step` together, as flat ones do"
            yield Observation(About.FSDP, Fsdp.FSDP1, seen)
    if any(_MARKED in file.globals for file in facts.files if is_of_fsdp(file.name)):
        yield Observation(About.FSDP, Fsdp.FSDP1, "its weights carry a mark that FSDP1 leaves")
    yield from _too_old(facts)


def _too_old(facts: Facts) -> Iterator[Observation]:
    """What was written before there was an FSDP2."""
    with_shards = ACCELERATE.first_with(fsdp2_shards=FullySharded.LOST)
    for package, first in (
        (About.ACCELERATE, with_shards),
        (About.TORCH, TORCH.first_with(newest_fsdp=2)),
    ):
        ends = [
            Version(one.version)
            for seen in provenance(facts)
            if seen.about is package
            for one in SpecifierSet(seen.conclusion)
            if one.operator == "<"
        ]
        if ends and min(ends) <= first:
            seen = f"written by {package} before {min(ends)}; FSDP2 needs {first}"
            yield Observation(About.FSDP, Fsdp.FSDP1, seen)
