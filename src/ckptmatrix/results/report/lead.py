"""What was measured, in one line under the title."""

from ckptmatrix.model import Device
from ckptmatrix.results.findings.axis import version_key
from ckptmatrix.results.findings.stacks import Factor
from ckptmatrix.results.report.page import Page


def lead(page: Page) -> str:
    """Say when and on what it was measured, and over which versions."""
    run, axis = page.matrix.run, page.axis
    name = f" ({run.device_name})" if run.device_name else ""
    device = "the GPU" if run.device is Device.CUDA else f"the {run.device.upper()}"
    parts = [f"Measured {run.finished[:10]} on {device}{name}"]
    if axis.releases:
        ends = f"{axis.releases[0]} to {axis.releases[-1]}"
        parts.append(f"{_counted(len(axis.releases), 'accelerate release')} ({ends})")
    for factor in (Factor.TORCH, Factor.NUMPY):
        found = {held[factor] for held in page.versions.values() if factor in held}
        if found:
            parts.append(f"{factor} {_listed(sorted(found, key=version_key))}")
    parts.append(_counted(len(page.scenarios), "kind") + " of training state")
    return " \N{MIDDLE DOT} ".join(parts)


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _listed(versions: list[str]) -> str:
    *most, last = versions
    return f"{', '.join(most)} and {last}" if most else last
