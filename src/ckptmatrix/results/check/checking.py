"""From a question to its verdict: both environments first, what lies between only if need be."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ckptmatrix.environments.site import Site
from ckptmatrix.errors import NothingRanError
from ckptmatrix.measure.installing import install
from ckptmatrix.model import EnvironmentStatus, Matrix
from ckptmatrix.plan.upgrade_matrix import both_ways, fewer_changes, into
from ckptmatrix.results.check.directory_loads import refuse_directory, with_directory
from ckptmatrix.results.check.grid import measured_grid, site_of, together
from ckptmatrix.results.check.question import Question
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.verdict.upgrade import Headline, Upgrade, judge
from ckptmatrix.util.unfinished import folder_in, temporary_folder


@dataclass(frozen=True)
class Checked:
    """What came of a question."""

    question: Question
    """What was asked."""
    upgrade: Upgrade
    """The verdict."""

    @property
    def alike(self) -> bool:
        """Whether both sides come to the very same packages, so that nothing can change."""
        ends = (self.question.old.environment.id, self.question.new.environment.id)
        one, other = (self.upgrade.matrix.environments[end] for end in ends)
        return (one.python, one.packages) == (other.python, other.packages)


def check(question: Question, say: Callable[[str], None] = lambda said: None) -> Checked:
    """Build both environments, measure staying, upgrading and the way back, and judge.

    Args:
        question: what is asked.
        say: called with what a person should know before it takes long.

    Raises:
        UsageError: the directory is of a kind that cannot be tried, or not trusted.
        NothingRanError: an environment cannot be built, or nothing can be measured.
    """
    old, new = question.old.environment, question.new.environment
    ends = {old: question.old.stack, new: question.new.stack}
    if question.directory:
        refuse_directory(question.directory, question.trust)
    with folder_in(temporary_folder()) as place:
        site = site_of(question, ends, place / "matrix.toml")
        _refuse_missing(question, site)
        matrix = measured_grid(question, site, partial(both_ways, old=old, new=new))
        matrix = with_directory(matrix, question, site, ends, say)
        upgrade = _judged(question, matrix)
        between = fewer_changes(question.old, question.new) if question.fewer else {}
        if upgrade.headline in (Headline.GO_IF, Headline.DONT) and between:
            site = site_of(question, {**ends, **between}, place / "between" / "matrix.toml")
            more = measured_grid(question, site, partial(into, old=old, readers=between))
            more = with_directory(more, question, site, between, say)
            upgrade = _judged(question, together(matrix, more))
    return Checked(question, upgrade)


def _refuse_missing(question: Question, site: Site) -> None:
    """Build both, or find them built.

    Raises:
        NothingRanError: one of them cannot be had.
    """
    sides = (question.old, question.new)
    built = install(dict.fromkeys(side.environment for side in sides), site, question.jobs)
    for side in sides:
        record = built[side.environment].record
        if record.status is not EnvironmentStatus.READY:
            raise NothingRanError(
                f"{side.pins.source} cannot be installed with Python {side.stack.python}: "
                f"{record.reason}",
                "name releases that the index has for it, or another --python",
            )


def _judged(question: Question, matrix: Matrix) -> Upgrade:
    ends = (question.old.environment.id, question.new.environment.id)
    return judge(LoadIndex(matrix), *ends, question.named, exact=question.exact)
