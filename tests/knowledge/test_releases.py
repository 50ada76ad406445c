"""The table of releases: its numbers are real, all of it is asked, and nothing else decides."""

import ast
import re
from itertools import pairwise, product
from pathlib import Path

import msgspec
import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ckptmatrix.checkpoint.explain.lines import load_index
from ckptmatrix.checkpoint.format.numpy_core import NumpyCore
from ckptmatrix.knowledge import releases
from ckptmatrix.knowledge.releases import ACCELERATE, NUMPY, TORCH, StepRead, WeightsRead
from ckptmatrix.knowledge.timeline import Span, TableEntry, Timeline
from tests.support.places import ROOT

SOURCE = ROOT / "src" / "ckptmatrix"
RELEASED = load_index().releases
"""Every release of accelerate whose wheel was read."""
NUMBER = re.compile(r"(?:[<>=!~]=?|~=)?\s*\d+\.\d+(?:\.(?:\d+|\*))?(?:,.*)?")
"""A version or a specifier, as code would compare with; a number in a sentence is none."""


def test_every_border_is_a_release_and_the_one_before_it_is_named() -> None:
    before = {Version(newer): Version(older) for older, newer in pairwise(RELEASED)}
    spans = _spans_between()
    assert spans
    for span in spans:
        assert span.end is not None
        assert span.last == before[span.end]
    assert {str(start) for start in ACCELERATE.starts} <= set(RELEASED)


def _spans_between() -> list[Span]:
    """The span that ends at each border of the table."""
    found: list[Span] = []
    for name in ACCELERATE.at(RELEASED[0]).__struct_fields__:
        for start in ACCELERATE.starts:
            found += ACCELERATE.spans_of(**{name: getattr(ACCELERATE.at(str(start)), name)})
    return [span for span in found if span.end is not None]


def test_every_border_is_looked_at() -> None:
    assert {span.end for span in _spans_between()} == set(ACCELERATE.starts[1:])


@pytest.mark.parametrize(
    "timeline", [ACCELERATE, TORCH, NUMPY], ids=["accelerate", "torch", "numpy"]
)
def test_every_entry_changes_something(timeline: Timeline[releases.Release]) -> None:
    states = [timeline.at(str(start)) for start in timeline.starts]
    assert list(timeline.starts) == sorted(timeline.starts)
    assert all(one != other for one, other in pairwise(states))


def test_numpys_core_is_spelt_as_pickles_are_read() -> None:
    assert {NUMPY.at(str(start)).core for start in NUMPY.starts} == set(NumpyCore)


@pytest.mark.parametrize("state", [releases.Release, releases.Torch, releases.Numpy])
def test_every_field_is_asked_by_someone(state: type[msgspec.Struct]) -> None:
    text = "".join(
        path.read_text("utf-8")
        for folder in ("checkpoint", "knowledge")
        for path in (SOURCE / folder).rglob("*.py")
        if path.name not in ("releases.py", "timeline.py")
    )
    within = (SOURCE / "knowledge" / "releases.py").read_text("utf-8")
    for name in state.__struct_fields__:
        asked = re.search(rf"\.{name}\b|\b{name}=", text)
        assert asked or re.search(rf"(?:self|\))\.{name}\b", within), name


def _numbers(path: Path) -> list[str]:
    """Versions and specifiers among the texts of a module, its documentation aside."""
    tree = ast.parse(path.read_text("utf-8"))
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
        and NUMBER.fullmatch(node.value.strip())
    ]


def test_no_other_module_compares_with_a_version() -> None:
    modules = [
        path
        for folder in ("checkpoint", "knowledge")
        for path in sorted((SOURCE / folder).rglob("*.py"))
        if path.name != "releases.py"
    ]
    assert {str(path): found for path in modules if (found := _numbers(path))} == {}


@pytest.mark.parametrize("text", ["0.32.0", "1.1", "<2", ">=0.25.0,<0.33.0", "!=0.32.*"])
def test_what_would_be_such_a_number(tmp_path: Path, text: str) -> None:
    (tmp_path / "module.py").write_text(f'"""Since 0.32.0."""\nx = {text!r}\ny = "in {text}"\n')
    assert _numbers(tmp_path / "module.py") == ([] if text == "<2" else [text])


ENTRIES = [
    TableEntry("1.0", "", {"step": "none", "weights": "bin"}),
    TableEntry("1.2", "", {"step": "demanded"}, "1.1.4"),
    TableEntry("1.4", "", {"step": "none"}, "1.3"),
    TableEntry("2.0", "", {"weights": "safetensors by name"}),
]


class State(msgspec.Struct, frozen=True):
    step: StepRead
    weights: WeightsRead


SMALL = Timeline(State, ENTRIES)


def test_spans_in_specifiers_and_words() -> None:
    demanded = SMALL.span_of(step=StepRead.DEMANDED)
    assert (str(demanded), demanded.words, demanded.excluded) == (
        ">=1.2,<1.4",
        "1.2 to 1.3",
        "!=1.2.*,!=1.3.*",
    )
    before, after = SMALL.spans_of(step=StepRead.NONE)
    assert (str(before), before.words, before.excluded) == ("<1.2", "before 1.2", ">=1.2")
    assert (str(after), after.words, after.excluded) == (">=1.4", "1.4 and newer", "<1.4")
    assert SMALL.span_of(weights=WeightsRead.BIN).words == "before 2.0"
    assert (str(Span()), Span().words, Span().specifier) == ("any", "any", "")


def test_one_release_alone_is_called_by_its_name() -> None:
    alone = Span(Version("0.15.0"), Version("0.16.0"), Version("0.15.0"))
    assert (alone.words, alone.excluded) == ("0.15.0", "!=0.15.0")


def test_what_no_version_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="no version"):
        SMALL.span_of(step=StepRead.ACCEPTED)
    with pytest.raises(ValueError, match="unpack"):
        SMALL.span_of(step=StepRead.NONE)
    with pytest.raises(AttributeError):
        SMALL.span_of(stepp=StepRead.NONE)


VERSIONS = [".".join(map(str, parts)) for parts in product(range(4), repeat=3)]
WITHIN_1 = [version for version in VERSIONS if version.startswith("1.")]


@pytest.mark.parametrize("local", ["", "+cpu"])
def test_a_version_lies_within_as_its_specifier_says(local: str) -> None:
    spans = [*SMALL.spans_of(step=StepRead.NONE), *SMALL.spans_of(step=StepRead.DEMANDED)]
    for version, span in product(VERSIONS, spans):
        assert (version + local in span) == (version in SpecifierSet(span.specifier)), version
    for version, span in product(WITHIN_1, spans):
        assert (version in span) != (version in SpecifierSet(span.excluded)), version


def test_a_version_does_what_its_spans_say() -> None:
    for version in VERSIONS:
        held = any(version in span for span in SMALL.spans_of(step=StepRead.NONE))
        assert held == (SMALL.at(version).step is StepRead.NONE), version
