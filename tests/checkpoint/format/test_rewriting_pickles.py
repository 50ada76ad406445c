"""Pickles as graphs: what pickle says, and no bytes that make them fall."""

import contextlib
import pickle

from hypothesis import given, settings
from hypothesis import strategies as st

from ckptmatrix.checkpoint.format import rewriting_pickles
from ckptmatrix.checkpoint.format.pickles import read_pickle

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(PLAIN)
def test_plain_graphs_are_what_pickle_says(value: object) -> None:
    assert rewriting_pickles.graph_of(read_pickle(pickle.dumps(value, 2))) == value
    assert pickle.loads(rewriting_pickles.dumps(value)) == value


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_graph_or_an_unpickling_error(data: bytes) -> None:
    with contextlib.suppress(pickle.UnpicklingError):
        rewriting_pickles.graph_of(read_pickle(data))
