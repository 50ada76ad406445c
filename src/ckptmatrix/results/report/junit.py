"""`junit.xml`: every cell as a test case, for the CI systems that show such files."""

import re
from xml.etree import ElementTree

from ckptmatrix.model import MEASURED, Cell, CellRecord, Environment, Matrix, Status, Verdict
from ckptmatrix.results.report.page import Page

FILENAME = "junit.xml"
"""Name of the file in a report's directory."""

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(page: Page) -> bytes:
    """Give the cells as JUnit XML: a failure is a cell that came out otherwise than expected.

    A known failure passes, as it does in the run; its status is in the case's output.
    """
    matrix = page.matrix
    suite = ElementTree.Element("testsuite", name="ckptmatrix")
    failures = skipped = 0
    for cell in matrix.cells:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"{cell.loader}.{cell.treatment}.{cell.scenario}",
            name=_name(matrix, cell),
            time=f"{cell.seconds:.3f}",
        )
        if cell.status not in MEASURED:
            skipped += 1
            ElementTree.SubElement(case, "skipped", message=_clean(f"{cell.status}: {cell.reason}"))
        elif cell.expected is False:
            failures += 1
            failure = ElementTree.SubElement(
                case, "failure", type=cell.status, message=_clean(_message(cell))
            )
            failure.text = _clean(cell.error.traceback if cell.error else "")
        elif cell.status is not Status.EXACT:
            ElementTree.SubElement(case, "system-out").text = _clean(_message(cell))
    suite.set("tests", str(len(matrix.cells)))
    suite.set("failures", str(failures))
    suite.set("errors", "0")
    suite.set("skipped", str(skipped))
    suite.set("time", f"{sum(cell.seconds for cell in matrix.cells):.3f}")
    suite.set("timestamp", _clean(matrix.run.started))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _name(matrix: Matrix, cell: CellRecord) -> str:
    """Name it as pytest does, so that the name can be given back to `-k`."""
    writer, reader = matrix.environments.get(cell.writer), matrix.environments.get(cell.reader)
    if writer is None or reader is None:
        return _clean(f"{cell.writer} -> {cell.reader}")
    return Cell(
        Environment(writer.accelerate, writer.stack),
        Environment(reader.accelerate, reader.stack),
        cell.scenario,
        cell.loader,
        cell.treatment,
    ).id


def _message(cell: CellRecord) -> str:
    lost = [
        f"{name} {verdict}"
        for name, verdict in cell.components.items()
        if verdict is not Verdict.RESTORED
    ]
    error = f"{cell.error.type}: {cell.error.message}" if cell.error else ""
    return "; ".join(filter(None, [str(cell.status), error, ", ".join(lost), cell.expectation]))


def _clean(text: str) -> str:
    """Replace what XML 1.0 cannot hold, which a message out of a checkpoint may well contain."""
    return _NOT_XML.sub("\ufffd", text)
