"""The closed sets of words in what host and worker say; each goes over the wire as its word."""

from enum import Enum


class Word(str, Enum):
    """A closed set of words, each of which prints as itself."""

    def __str__(self) -> str:
        return str(self.value)


class Device(Word):
    """Where a training runs."""

    CPU = "cpu"
    CUDA = "cuda"


class Ending(Word):
    """How a request ended that was not answered."""

    RAISED = "raised"
    """ckptmatrix's own code raised, or a scenario's outside its save and its load."""
    CRASHED = "crashed"
    """The process died."""
    KILLED = "killed"
    """The process was killed (SIGKILL), which none does to itself: to be asked once more."""
    TIMEOUT = "timeout"
    """It took longer than it was given."""
    UNFORKABLE = "unforkable"
    """The worker may not fork any more, so another one has to be asked."""


TRIES = 3
"""How often the same is done before it is given up that somebody kills the process each time."""

STAND_IN_GPU = "CUDA stand-in"
"""What a GPU is called that computes nothing: memory behind a driver of the project's own tests."""


class GpuProblem(Word):
    """Why a GPU that was asked for cannot be used."""

    NOT_BUILT_FOR_IT = "torch is not built for it"
    """A wheel for the CPU alone."""
    NO_DRIVER = "no driver"
    DRIVER_TOO_OLD = "driver too old"
    """Older than what torch is built for."""
    NO_KERNELS = "no kernels for this card"
    """torch brings none that it could run."""
    COMPUTES_WRONGLY = "computes wrongly"
    """A kernel ran, and its result is not right."""
    OTHER = "other"


class Part(Word):
    """The name of a component that every scenario may have; scenarios may have others beside."""

    MODEL = "model"
    OPTIMIZER = "optimizer"
    SCHEDULER = "scheduler"
    SCALER = "scaler"
    DATALOADER = "dataloader"
    PYTHON_RANDOM = "rng.python"
    NUMPY_RANDOM = "rng.numpy"
    TORCH_RANDOM = "rng.torch"
    CUDA_RANDOM = "rng.cuda"
    STEP = "step"
    ENGINE = "engine"
    """What DeepSpeed counts itself."""
    CUSTOM = "custom"
    HOOK_FILES = "hook_files"


class Verdict(Word):
    """What became of one component of the training state."""

    RESTORED = "restored"
    """Equal, bit for bit, to what was saved."""
    LOST = "lost"
    """In the checkpoint, but still what it was before the load."""
    WRONG = "wrong"
    """Neither what was saved nor what was there before."""
    UNSAVED = "unsaved"
    """The training had it; the writer never put it (or not all of it) into the checkpoint."""
    NOT_TOLD_APART = "not told apart"
    """As it was saved, but so it was before the load: whether it was loaded cannot be told."""
    ABSENT = "absent"
    """The scenario, or this release, has no such thing."""


class ControlKind(Word):
    """A load whose outcome is known beforehand."""

    NOTHING = "nothing"
    """Does nothing."""
    PERFECT = "perfect"
    """Puts the captured state in directly."""


class AlterationKind(Word):
    """What is done to one place of a checkpoint."""

    DROP = "drop"
    """It is taken out."""
    ZERO = "zero"
    """Nothing is left in it; a file becomes empty."""
    FLIP = "flip"
    """One bit of it is the other way."""
    SWAP = "swap"
    """It and another one of the same shape change places."""
    OTHER_RUN = "other run"
    """It becomes what another run of the same scenario has there."""
