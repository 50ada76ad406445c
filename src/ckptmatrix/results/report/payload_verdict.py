"""What the page needs for the verdict on an upgrade: each comparison made, and the words for it.

The page counts and puts sentences together; which load is worse than staying, which group a
component is of and what may be kept is worked out here, by the code that the command uses.
"""

from collections.abc import Iterator

from ckptmatrix.model import Matrix
from ckptmatrix.model.severity import Severity, severity_of
from ckptmatrix.results.findings.axis import Axis
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.findings.stacks import stack_versions
from ckptmatrix.results.findings.views import View, views_of
from ckptmatrix.results.verdict.choices import ALL_AT_ONCE, way_of
from ckptmatrix.results.verdict.keeping import install_line, keepings
from ckptmatrix.results.verdict.sentences import MESSAGE_LENGTH, NAMED
from ckptmatrix.results.verdict.staying import Against, against, is_measured

KINDS = tuple(Against)
"""Comparisons with staying, by their numbers in the page."""


def staying_rows(index: LoadIndex, axis: Axis, view: View, scenario: str) -> Iterator[list[int]]:
    """Compare one scenario with staying for every pair: a row for each writer, in the axis' order.

    What is not measured by a way to load is as the plain load leaves it, as in `cross`.
    """
    for writer in axis.environments:
        stay = index.between(writer, writer).get(scenario)
        row = []
        for reader in axis.environments:
            now = index.between(writer, reader, view).get(scenario)
            if not is_measured(now):
                now = index.between(writer, reader).get(scenario)
            row.append(KINDS.index(against(stay, now)))
        yield row


def rules(matrix: Matrix, axis: Axis) -> dict[str, object]:
    """Give everything else: groups of components, what may be kept, titles and lines to copy."""
    versions = stack_versions(matrix)
    components = {name for cell in matrix.cells for name in cell.components}
    groups = tuple(Severity)
    return {
        "kinds": KINDS,
        "groups": groups,
        "groupOf": {name: groups.index(severity_of(name)) for name in sorted(components)},
        "ways": [(way.title, way.copy) for way in map(way_of, views_of(matrix))],
        "allAtOnce": ALL_AT_ONCE,
        "install": [install_line(matrix.environments[id_]) for id_ in axis.environments],
        "keepings": [
            [
                [
                    [
                        (axis.stacks.index(one.stack), one.release, one.kept)
                        for one in keepings(versions, old, new, changes)
                    ]
                    for changes in (False, True)
                ]
                for new in axis.stacks
            ]
            for old in axis.stacks
        ],
        "message": MESSAGE_LENGTH,
        "named": NAMED,
    }
