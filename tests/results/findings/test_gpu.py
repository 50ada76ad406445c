"""What a GPU makes of a run stands on top of every report."""

from dataclasses import replace
from html import unescape

import pytest

from ckptmatrix.model import Device, EnvironmentStatus, Matrix
from ckptmatrix.results.findings.gpu import gpu_notes
from ckptmatrix.results.report import html, markdown
from ckptmatrix.results.report.page import page_of
from tests.support import synthetic

MATRIX = synthetic.matrix(["0.33.0", "1.15.0"])
[FIRST, *_] = {record.stack for record in MATRIX.environments.values()}


def on_gpu(matrix: Matrix = MATRIX, name: str = "Some GPU") -> Matrix:
    return replace(matrix, run=replace(matrix.run, device=Device.CUDA, device_name=name))


def without_gpu(matrix: Matrix, *ids: str) -> Matrix:
    reason = "the driver is for CUDA 11.4"
    changes = {"status": EnvironmentStatus.UNAVAILABLE, "reason": reason, "gpu": "driver too old"}
    environments = {
        id_: replace(record, **changes) if id_ in ids else record  # type: ignore[arg-type] # fields
        for id_, record in matrix.environments.items()
    }
    return replace(matrix, environments=environments)


def of_stack(stack: str) -> list[str]:
    return [id_ for id_, record in MATRIX.environments.items() if record.stack == stack]


@pytest.mark.parametrize("matrix", [MATRIX, on_gpu()])
def test_of_a_gpu_that_computes_nothing_is_said(matrix: Matrix) -> None:
    assert gpu_notes(matrix) == ()


def test_a_stack_that_cannot_use_the_gpu_is_named_once() -> None:
    notes = gpu_notes(without_gpu(on_gpu(), *of_stack(FIRST)))
    assert notes == (
        f"Stack {FIRST} cannot use the GPU, so it was not measured: the driver is for CUDA 11.4.",
    )


def test_where_only_a_release_cannot_it_is_named_with_it() -> None:
    one = of_stack(FIRST)[0]
    [note] = gpu_notes(without_gpu(on_gpu(), one))
    release = MATRIX.environments[one].accelerate
    assert note.startswith(f"Stack {FIRST} with accelerate {release} cannot use the GPU, ")


@pytest.mark.parametrize("name", ["CUDA stand-in", "Some GPU; CUDA stand-in"])
def test_a_stand_in_is_never_taken_for_a_gpu(name: str) -> None:
    page = page_of(without_gpu(on_gpu(name=name), *of_stack(FIRST)))
    for text in (html.render(page).decode(), markdown.render(page).decode()):
        told = text.index("Run on a CUDA stand-in, which computes nothing")
        assert told < text.index(f"Stack {FIRST} cannot use") < text.index("loaded")


def test_variables_that_were_passed_on_are_named() -> None:
    run = replace(MATRIX.run, variables=("CUDA_VISIBLE_DEVICES", "NCCL_P2P_DISABLE"))
    page = page_of(replace(MATRIX, run=run))
    for text in (html.render(page).decode(), markdown.render(page).decode()):
        assert "CUDA_VISIBLE_DEVICES, NCCL_P2P_DISABLE" in unescape(text)
    for text in (html.render(page_of(MATRIX)).decode(), markdown.render(page_of(MATRIX)).decode()):
        assert "passed on" not in text
