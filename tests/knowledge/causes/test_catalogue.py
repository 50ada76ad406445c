"""The catalogue of causes: whole, described, and as its page says."""

import importlib.util
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from ckptmatrix.knowledge.causes import CauseId, cause_of, explained, known_causes
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import (
    CellRecord,
    CheckpointRecord,
    CheckpointStatus,
    Difference,
    EnvironmentRecord,
    EnvironmentStatus,
    ErrorRecord,
    FirstDifference,
    Resume,
    Status,
    Verdict,
)
from tests.support.cells import cell
from tests.support.places import ROOT

REFUSAL = ErrorRecord("_pickle.UnpicklingError", "GLOBAL numpy.core.multiarray._reconstruct")


def evidence(
    record: CellRecord, reader: str = "1.15.0", numpy: tuple[str, str] = ("1", "1"), **more: Any
) -> Evidence:
    saved = EnvironmentRecord("0.33.0", "a", EnvironmentStatus.READY, numpy=f"{numpy[0]}.26")
    loaded = EnvironmentRecord(reader, "b", EnvironmentStatus.READY, numpy=f"{numpy[1]}.4")
    return Evidence(
        record, saved, loaded, CheckpointRecord("w", "basic", CheckpointStatus.WRITTEN, **more)
    )


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("page", ROOT / "tools" / "make_causes_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_as_the_catalogue() -> None:
    page = (ROOT / "docs" / "causes.md").read_text(encoding="utf-8")
    assert page == tool().page(known_causes()), "run tools/make_causes_page.py"


@pytest.mark.parametrize("name", known_causes())
def test_each_has_title_explanation_and_remedy(name: CauseId) -> None:
    cause = known_causes()[name].cause
    assert cause.title
    assert cause.explanation
    assert cause.remedy
    assert all(link.startswith("https://") for link in cause.links)


def swallowing() -> CellRecord:
    return replace(cell(status="degraded", lost=("rng.numpy", "step")), swallowed=(REFUSAL,))


def test_the_founding_case() -> None:
    raised = cell(status="failed", error="KeyError: 'step'")
    assert cause_of(evidence(replace(raised, swallowed=(REFUSAL,)), "0.33.0")) == "refused-step"
    older = evidence(raised, "0.33.0", unsaved={"step": ("",)})
    assert cause_of(older) == "missing-step"
    assert cause_of(evidence(raised, "0.33.0")) is None


def test_refusals_are_told_apart_by_what_was_measured() -> None:
    assert cause_of(evidence(swallowing(), "1.0.1")) == "numpy-refused"
    assert cause_of(evidence(swallowing(), "1.0.1", ("1", "2"))) == "numpy-refused"
    assert cause_of(evidence(swallowing(), "1.15.0", ("1", "2"))) == "numpy-major"


def test_the_format_of_the_weights() -> None:
    missing = cell(status="failed", error="FileNotFoundError: no CHECKPOINT/pytorch_model.bin")
    new = evidence(missing, files={"model.safetensors": 1})
    assert cause_of(new) == "safetensors-unknown"
    assert cause_of(evidence(missing, files={})) is None


def test_what_is_exact_or_strange_has_no_cause() -> None:
    assert cause_of(evidence(cell())) is None
    assert cause_of(evidence(cell(status="failed", error="OSError: strange"))) is None


def test_each_file_has_the_name_of_its_cause() -> None:
    folder = ROOT / "src" / "ckptmatrix" / "knowledge" / "causes"
    files = {path.stem.replace("_", "-") for path in folder.glob("*.py")} - {"--init--"}
    assert set(known_causes()) == files


def test_every_other_id_is_one_that_inspect_says() -> None:
    inspect = ROOT / "src" / "ckptmatrix" / "checkpoint" / "inspect"
    text = "".join(path.read_text(encoding="utf-8") for path in inspect.glob("*.py"))
    said = {id_ for id_ in CauseId if f"CauseId.{id_.name}" in text}
    assert set(CauseId) - set(known_causes()) <= said


def test_no_module_writes_an_id_as_a_bare_text() -> None:
    """A misspelt one would be noticed by nothing. `belonging.py` names scenarios, two as causes."""
    for folder in ("checkpoint", "knowledge", "measure", "results"):
        for path in (ROOT / "src" / "ckptmatrix" / folder).rglob("*.py"):
            if path.parts[-2:] not in {("causes", "__init__.py"), ("directory", "belonging.py")}:
                text = path.read_text(encoding="utf-8")
                assert [id_ for id_ in CauseId if f'"{id_}"' in text] == [], path


def test_cells_of_a_whole_run_get_their_causes() -> None:
    lost = replace(swallowing(), writer="w", reader="r", scenario="basic")
    whole, skipped = cell(), replace(lost, status=Status.NOT_RUN, writer="never built")
    ends = {"w": EnvironmentRecord("0.33.0", "a", EnvironmentStatus.READY, numpy="1.26.4")}
    ends["r"] = EnvironmentRecord("1.15.0", "a", EnvironmentStatus.READY, numpy="2.4.1")
    saved = (CheckpointRecord("w", "basic", CheckpointStatus.WRITTEN),)
    cells, causes = explained((lost, whole, skipped), ends, saved)
    assert [one.cause for one in cells] == [CauseId.NUMPY_MAJOR, None, None]
    assert causes == {"numpy-major": known_causes()[CauseId.NUMPY_MAJOR].cause}


@pytest.mark.parametrize("component", ["scheduler", "model", "dataloader", "rng.numpy"])
def test_a_checkpoint_of_unknown_writer_gets_an_answer(component: str) -> None:
    """`try` has a directory, and no record of what saved it."""
    wrong = replace(cell(status="degraded"), components={component: Verdict.WRONG})
    different = {component: Difference("state", "1", "2")}
    record = replace(wrong, differences=different, swallowed=(REFUSAL,))
    unknown = EnvironmentRecord("", "", EnvironmentStatus.READY)
    assert cause_of(replace(evidence(record), writer=unknown)) is CauseId.NUMPY_REFUSED


def test_shards_that_were_read_into_nothing() -> None:
    wrong = replace(cell(status="degraded"), components={"optimizer": Verdict.WRONG})
    nothing = replace(wrong, differences={"optimizer": Difference("0/step", "3", "nothing")})
    other = replace(wrong, differences={"optimizer": Difference("0/step", "3", "4")})
    files = {"optimizer_0/.metadata": 1, "optimizer_0/__0_0.distcp": 1}
    assert cause_of(evidence(nothing, files=files)) == "optimizer-shards-unread"
    assert cause_of(evidence(nothing, files={"optimizer.bin": 1})) is None
    assert cause_of(evidence(other, files=files)) is None


def test_the_names_of_fsdp_on_both_sides() -> None:
    new = cell(status="failed", error="FileNotFoundError: no CHECKPOINT/pytorch_model_fsdp.bin")
    old = cell(status="failed", error="FileNotFoundError: no CHECKPOINT/pytorch_model.bin")
    shards = cell(status="failed", error="torch.CheckpointException: ranks:dict_keys([0, 1])")
    assert cause_of(evidence(new, files={"pytorch_model.bin": 1})) == "fsdp-names"
    assert cause_of(evidence(old, "0.24.1", files={"pytorch_model_fsdp.bin": 1})) == "fsdp-names"
    sharded = {"pytorch_model_0/__0_0.distcp": 1}
    assert cause_of(evidence(shards, files=sharded)) == "fsdp-names"
    assert cause_of(evidence(shards, "0.24.1", files=sharded)) is None


@pytest.mark.parametrize(
    ("quantity", "cause"),
    [("samples", CauseId.SEEDABLE_SAMPLER), ("synced", CauseId.STEP_IGNORED)],
)
def test_other_samples_are_not_put_down_to_step(quantity: str, cause: CauseId) -> None:
    record = replace(
        cell(status="degraded", lost=("step",)),
        resume=Resume(
            exact=False, first_difference=FirstDifference(1, quantity, "1", "2"), steps=1
        ),
    )
    assert cause_of(evidence(record, reader="0.25.0")) == cause


@pytest.mark.parametrize(
    ("reader", "cause"),
    [("1.14.0", CauseId.EPOCH_TAKEN_BACK), ("0.25.0", CauseId.SEEDABLE_SAMPLER)],
)
def test_a_sampler_that_adds_epochs_up_is_no_epoch_taken_back(reader: str, cause: CauseId) -> None:
    record = replace(
        cell(status="degraded", scenario="mid-epoch-set-epoch"),
        resume=Resume(
            exact=False, first_difference=FirstDifference(5, "samples", "1", "2"), steps=5
        ),
    )
    assert cause_of(evidence(record, reader=reader)) == cause


def test_fsdp_of_the_other_kind() -> None:
    shards = {"pytorch_model_fsdp_0/__0_0.distcp": 1}
    missed = cell(status="failed", error="FileNotFoundError: no CHECKPOINT/pytorch_model_fsdp.bin")
    unread = cell(status="failed", error="CheckpointException: metadata is None")
    assert cause_of(evidence(missed, files=shards)) == "fsdp-kind"
    assert cause_of(evidence(unread, files={"pytorch_model_fsdp.bin": 1})) == "fsdp-kind"


def test_shards_that_torch_cannot_fill_in() -> None:
    kind = "torch.distributed.checkpoint.api.CheckpointException"
    missing = "Missing key in checkpoint state_dict"
    texts = (
        "ValueError: too many values to unpack (expected 5)",
        f"{missing}: optimizer.param_groups.0.decoupled_weight_decay.",
        f"{missing}: optimizer.state.0.weight.step.",
        f"{missing}: model.0.weight.",
    )
    found = [cause_of(evidence(cell(status="failed", error=f"{kind}: {text}"))) for text in texts]
    assert found == ["shards-newer-torch", "optimizer-keys-missing", "fsdp-numbers", None]
    number = cell(status="failed", error="KeyError: 0")
    assert cause_of(evidence(number, files={"optimizer_0/__0_0.distcp": 1})) == "fsdp-numbers"
    assert cause_of(evidence(number, files={"optimizer.bin": 1})) is None


def test_deepspeed_of_another_number_of_processes() -> None:
    message = "The checkpoint being loaded used a DP world size of 2 but the current is 4."
    kind = "deepspeed.runtime.zero.utils.ZeRORuntimeException"
    assert cause_of(evidence(cell(status="failed", error=f"{kind}: {message}"))) == (
        "engine-processes"
    )
    assert cause_of(evidence(cell(status="failed", error=f"{kind}: strange"))) is None


KEPT_BY_ENGINE = {"pytorch_model/zero_pp_rank_0_mp_rank_00_optim_states.pt": 1}
UNIVERSAL = {"pytorch_model/zero/optimizer_state.pt": 1}


def kept_by(side: str) -> EnvironmentRecord:
    return EnvironmentRecord(side, "a", EnvironmentStatus.READY)


@pytest.mark.parametrize(
    ("writer", "reader", "known"),
    [
        ("0.24.1", "0.33.0", True),
        ("0.25.0", "0.22.0", True),
        ("0.26.0", "0.33.0", False),  # both kinds of writers have left a schedule out
        ("", "0.33.0", False),
    ],
)
def test_a_schedule_that_deepspeed_kept(writer: str, reader: str, known: bool) -> None:
    missed = cell(status="failed", error="FileNotFoundError: no CHECKPOINT/scheduler.bin")
    for files in (KEPT_BY_ENGINE, UNIVERSAL):
        found = replace(evidence(missed, reader, files=files), writer=kept_by(writer))
        assert (cause_of(found) == "engine-schedule") is known
    plain = replace(
        evidence(missed, reader, files={"model.safetensors": 1}), writer=kept_by(writer)
    )
    assert cause_of(plain) != "engine-schedule"


@pytest.mark.parametrize(
    ("reader", "known"), [("0.22.0", False), ("0.23.0", True), ("0.25.0", True), ("0.26.0", False)]
)
def test_a_schedule_that_deepspeed_was_to_have_kept(reader: str, known: bool) -> None:
    none = cell(status="failed", error="TypeError: 'NoneType' object is not iterable")
    files = {**KEPT_BY_ENGINE, "scheduler.bin": 1}
    assert (cause_of(evidence(none, reader, files=files)) == "engine-schedule") is known
    assert cause_of(evidence(none, reader, files=KEPT_BY_ENGINE)) is None
    assert cause_of(evidence(none, reader, files={"scheduler.bin": 1})) is None
    strange = cell(status="failed", error="TypeError: strange")
    assert cause_of(evidence(strange, reader, files=files)) is None


def test_buffers_of_deepspeeds_universal_form() -> None:
    files = {"pytorch_model/zero/optimizer_state.pt": 1}
    buffer = Difference("0/weights/0.scale", "1", "2", 1, 13)
    wrong = {"model": Verdict.WRONG}
    lost = replace(cell(status="degraded"), components=wrong, differences={"model": buffer})
    assert cause_of(evidence(lost, files=files)) == "universal-buffers"
    assert cause_of(evidence(lost, files={"pytorch_model/mp_rank_00_model_states.pt": 1})) is None
    masters = replace(buffer, where="0/masters/0.weight")
    elsewhere = replace(lost, differences={"model": masters})
    assert cause_of(evidence(elsewhere, files=files)) is None


def test_a_load_of_fsdp_that_never_returns() -> None:
    waits = cell(status="timeout", error="timeout: no answer within 20 seconds")
    assert cause_of(evidence(waits, files={"pytorch_model_fsdp.bin": 1})) == "fsdp-waits"
    assert cause_of(evidence(waits, files={"model.safetensors": 1})) is None


def test_a_count_of_steps_that_parameters_share() -> None:
    files = {"pytorch_model_fsdp.bin": 1, "optimizer.bin": 1}
    first = FirstDifference(2, "loss", "0.5", "0.6")
    ahead = replace(cell(status="degraded"), resume=Resume(False, first, 3))
    assert cause_of(evidence(ahead, files=files)) == "fsdp-shared-step"
    assert cause_of(evidence(ahead, files={"model.safetensors": 1})) is None


def test_a_scaler_that_counts_the_load() -> None:
    files = {"pytorch_model_fsdp.bin": 1, "scaler.pt": 1}
    ahead = Difference("_growth_tracker", "0", "1", 1, 5)
    wrong = replace(
        cell(status="degraded"),
        components={"scaler": Verdict.WRONG, "scaler@1": Verdict.WRONG},
        differences={"scaler": ahead},
    )
    assert cause_of(evidence(wrong, files=files)) == "fsdp-scaler-counts"
    plain = {"model.safetensors": 1, "scaler.pt": 1}
    assert cause_of(evidence(wrong, files=plain)) != "fsdp-scaler-counts"
    growth = replace(wrong, differences={"scaler": replace(ahead, where="growth_factor")})
    assert cause_of(evidence(growth, files=files)) != "fsdp-scaler-counts"
    more = replace(wrong, components={**wrong.components, "model": Verdict.WRONG})
    assert cause_of(evidence(more, files=files)) != "fsdp-scaler-counts"
