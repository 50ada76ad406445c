"""What is not tried, and why: one sentence and what to do instead."""

from ckptmatrix.checkpoint.format.file_fact import FileFact, Reading
from ckptmatrix.checkpoint.format.rewriting_archives import DamagedError
from ckptmatrix.checkpoint.format.safety import Rating
from ckptmatrix.checkpoint.inspect.facts import Facts
from ckptmatrix.checkpoint.inspect.inspection import Inspection
from ckptmatrix.checkpoint.inspect.training_stacks import recognise
from ckptmatrix.errors import UsageError

_SHARDS = ("_fsdp", ".distcp", "mp_rank_", "zero_to_fp32.py", "pytorch_model_rank", "distrib_optim")
"""Parts of file names that only distributed training leaves."""


def refuse(found: Inspection, files: tuple[str, ...], trust: bool) -> None:
    """Refuse what would be of no use, or of harm.

    Args:
        found: what was seen in the directory.
        files: those of its files that readers read.
        trust: whether the user trusts it.

    Raises:
        UsageError: it is no directory of `save_state`, it is of distributed training, or its
            pickles name what is not known to be harmless and it is not trusted.
        DamagedError: a file is damaged.
    """
    facts, title = found.facts, found.stack.title
    if sharded := why_sharded(facts):
        raise UsageError(
            f"{facts.directory} {sharded}.",
            "`ckptmatrix inspect` says what each release makes of it; to measure it, run your own "
            "script as a scenario: docs/own-scenario.md.",
        )
    if not found.stack.accelerate:
        raise UsageError(
            f"{facts.directory} is of {title}: Accelerator.load_state does not load it.",
            found.note or "`ckptmatrix inspect` says what is in it.",
        )
    if not (facts.optimizers or facts.random):
        raise UsageError(
            f"{facts.directory} is no directory of Accelerator.save_state: it has neither "
            "optimizer.bin nor random_states_0.pkl.",
            "Give the directory that holds them.",
        )
    wanted = [file for file in facts.files if file.name in files]
    if not trust:
        for file in wanted:
            _refuse_unknown(file)
    for file in wanted:
        if file.problem:
            raise DamagedError(
                f"{file.name} {file.problem}.", "Copy it again, or take an earlier one."
            )


def why_sharded(facts: Facts) -> str:
    """Why no stand-in can load a directory of sharded training; empty if it is none."""
    by = recognise(facts).sharded
    marked = [f.name for f in facts.files if any(part in f.name for part in _SHARDS)]
    if not marked and by is None:
        return ""
    shards = (
        f"the shards of distributed training ({marked[0]})" if marked else f"what {by} gathered"
    )
    return f"holds {shards}, which one process without the model's code cannot load"


def _refuse_unknown(file: FileFact) -> None:
    """Refuse a file that may run code when it is loaded."""
    if file.reading is Reading.UNREAD:
        raise UsageError(
            f"{file.name} {file.problem}, so nobody knows what loading it runs.",
            "If you trust who wrote it: --trust.",
        )
    unsafe = [(level, name) for name, level in file.globals.items() if level is not Rating.HARMLESS]
    if unsafe:
        level, name = min(unsafe)
        kind = "runs code" if level is Rating.DANGEROUS else "is not known to be harmless"
        raise UsageError(
            f"{file.name} names {name}, which {kind}, and torch before 2.6 runs what it names.",
            "If you trust who wrote it: --trust.",
        )
