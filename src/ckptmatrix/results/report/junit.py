"""`junit.xml`: what was not expected, and totals, for the CI systems that show such files."""

import re
from xml.etree import ElementTree

from ckptmatrix.model import MEASURED, Cell, CellRecord, Environment, Matrix, Verdict
from ckptmatrix.results.report.page import Page
from ckptmatrix.util.terminal_text import plain

FILENAME = "junit.xml"
"""Name of the file in a report's directory."""

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(page: Page) -> bytes:
    """Give what was not expected as JUnit XML: a failure is a cell that came out otherwise.

    Everything else is in the totals alone: how many cells there are, and how many of them were not
    measured (`skipped`). A known failure is as expected, so it is no failure here, as in the run.
    """
    matrix = page.matrix
    skipped = sum(cell.status not in MEASURED for cell in matrix.cells)
    suite = ElementTree.Element(
        "testsuite",
        name="ckptmatrix",
        tests=str(len(matrix.cells)),
        failures=str(len(page.unexpected)),
        errors="0",
        skipped=str(skipped),
        time=f"{sum(cell.seconds for cell in matrix.cells):.3f}",
        timestamp=_clean(matrix.run.started),
    )
    for cell in page.unexpected:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=_clean(f"{cell.loader}.{cell.treatment}.{cell.scenario}"),
            name=_name(matrix, cell),
            time=f"{cell.seconds:.3f}",
        )
        failure = ElementTree.SubElement(
            case, "failure", type=cell.status, message=_clean(_message(cell))
        )
        failure.text = _clean(cell.error.traceback if cell.error else "")
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _name(matrix: Matrix, cell: CellRecord) -> str:
    """Name it as pytest does, so that the name can be given back to `-k`."""
    writer, reader = matrix.environments.get(cell.writer), matrix.environments.get(cell.reader)
    if writer is None or reader is None:
        return _clean(f"{cell.writer} -> {cell.reader}")
    named = Cell(
        Environment(writer.accelerate, writer.stack),
        Environment(reader.accelerate, reader.stack),
        cell.scenario,
        cell.loader,
        cell.treatment,
    )
    return _clean(named.id)


def _message(cell: CellRecord) -> str:
    lost = [
        f"{name} {verdict}"
        for name, verdict in cell.components.items()
        if verdict is not Verdict.RESTORED
    ]
    error = f"{cell.error.type}: {cell.error.message}" if cell.error else ""
    return "; ".join(filter(None, [str(cell.status), error, ", ".join(lost), cell.expectation]))


def _clean(text: str) -> str:
    """Show what a terminal would obey, and replace what else XML 1.0 cannot hold."""
    return _NOT_XML.sub("\ufffd", plain(text))
