"""Tracebacks in every shape that people paste."""

import linecache
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.traceback import Frame as RichFrame
from rich.traceback import Stack, Trace, Traceback

from ckptmatrix.checkpoint.explain.diagnosis import diagnose
from ckptmatrix.checkpoint.explain.failures import Failure, Link
from ckptmatrix.checkpoint.explain.traces import read_trace
from tests.checkpoint.explain.layouts import LAYOUTS

PLAIN = """Traceback (most recent call last):
  File "/env/lib/python3.10/site-packages/accelerate/accelerator.py", line 3156, in load_state
    self.step = override_attributes["step"]
                ~~~~~~~~~~~~~~~~~~~^^^^^^^^
KeyError: 'step'
"""


def _only(text: str) -> Failure:
    (failure,) = read_trace(text).failures
    return failure


def _check(failure: Failure) -> None:
    assert failure.type == "KeyError"
    assert failure.message == "'step'"
    (frame,) = failure.frames
    assert frame.path.endswith("accelerate/accelerator.py")
    assert (frame.line, frame.function) == (3156, "load_state")
    assert frame.code == 'self.step = override_attributes["step"]'


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    failures = read_trace(LAYOUTS[layout](_only(PLAIN))).failures
    assert len(failures) == (2 if layout == "interleaved" else 1)
    for failure in failures:
        _check(failure)


def test_ranks() -> None:
    failures = read_trace(LAYOUTS["interleaved"](_only(PLAIN))).failures
    assert [failure.rank for failure in failures] == [0, 1]
    assert _only(LAYOUTS["ranks"](_only(PLAIN))).rank == 3
    (one,) = diagnose(LAYOUTS["interleaved"](_only(PLAIN)))
    assert one.ranks == (0, 1)


def test_colours_and_carriage_returns() -> None:
    _check(_only("100%|████| 3/3\r\x1b[31m" + PLAIN.replace("\n", "\x1b[0m\n")))


def test_colours_that_lost_their_escape() -> None:
    _check(_only(PLAIN.replace("KeyError", "[0;31mKeyError[0m")))


def test_exception_before_its_frame() -> None:
    lines = PLAIN.splitlines()
    _check(_only("\n".join([lines[4], lines[1], lines[2]])))


def test_a_head_that_a_terminal_broke() -> None:
    head = PLAIN.splitlines()[1]
    for at in (60, 80, len(head) - 11):
        _check(_only(PLAIN.replace(head, f"{head[:at].rstrip()}\n{head[at:].lstrip()}")))


def test_the_head_of_a_notebook_of_an_editor() -> None:
    text = """KeyError                                  Traceback (most recent call last)
Cell In[4], [line 136](vscode-notebook-cell:?execution_count=4&line=136)
    [131](vscode-notebook-cell:?execution_count=4&line=131) x = 1
--> [136](vscode-notebook-cell:?execution_count=4&line=136) main(cfg)

File [/env/accelerate/accelerator.py:3156](https://file+.vscode/x), in Accelerator.load_state(self)
   3155
-> 3156 self.step = override_attributes["step"]

KeyError: 'step'
"""
    cell, frame = _only(text).frames
    assert (cell.path, cell.line, cell.code) == ("Cell In[4]", 136, "main(cfg)")
    assert frame.place.endswith("accelerate/accelerator.py:load_state")


def test_pytest_in_its_longer_style() -> None:
    text = """    def load_state(self, input_dir=None):
        hooks()
>       self.step = override_attributes["step"]
E       KeyError: 'step'

/env/lib/python3.10/site-packages/accelerate/accelerator.py:3156: KeyError
"""
    _check(_only(text))


def test_a_log_of_json_values() -> None:
    _check(
        _only('{"level": "error", "message": "' + PLAIN.replace('"', '\\"').replace("\n", "\\n"))
    )


def _drawn_by_rich(path: Path, width: int) -> str:
    """What rich itself draws for a frame of that file."""
    code = "\n" * 3155 + '        self.step = override_attributes["step"]\n'
    path.parent.mkdir(parents=True)
    path.write_text(code)
    linecache.clearcache()
    frame = RichFrame(filename=str(path), lineno=3156, name="load_state")
    trace = Trace([Stack("KeyError", "'step'", frames=[frame])])
    written = StringIO()
    console = Console(file=written, width=width, force_terminal=True)
    console.print(Traceback(trace, width=width))
    return written.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 160])
@pytest.mark.parametrize("folder", ["env/lib/python3.10", "A Folder With Blanks/its environment"])
def test_what_rich_itself_draws(tmp_path: Path, width: int, folder: str) -> None:
    path = tmp_path / folder / "site-packages/accelerate/accelerator.py"
    failure = _only(_drawn_by_rich(path, width))
    (frame,) = failure.frames
    assert (frame.path, frame.line, frame.function) == (str(path), 3156, "load_state")
    assert frame.code.startswith("self.step = override_attributes[")
    assert (failure.type, failure.message) == ("KeyError", "'step'")


CHAIN = """
During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "t.py", line 2, in <module>
    f()
ValueError: second

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "t.py", line 3, in <module>
    g()
OSError: third
"""


def test_chained_exceptions_are_kept_together_and_apart() -> None:
    (chain,) = read_trace(PLAIN + CHAIN).chains
    assert [failure.type for failure in chain] == ["KeyError", "ValueError", "OSError"]
    assert [len(failure.frames) for failure in chain] == [1, 1, 1]
    assert [failure.link for failure in chain] == [Link.NONE, Link.HANDLING, Link.CAUSE]


def test_tracebacks_without_a_link_are_two_chains() -> None:
    assert len(read_trace(PLAIN + PLAIN).chains) == 2


def test_messages_of_many_lines_are_kept_and_what_follows_is_not() -> None:
    text = (
        "Traceback (most recent call last):\n"
        '  File "t.py", line 2, in <module>\n    f()\n'
        "RuntimeError: Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "a".\n\tUnexpected key(s) in state_dict: "b".\n'
        "\nsize mismatch for something that a script printed later\n"
    )
    assert "Unexpected key" in _only(text).words
    assert "later" not in _only(text).words


def test_a_blank_line_after_a_colon_belongs_to_the_message() -> None:
    text = (
        "UnpicklingError: Weights only load failed: \n\nUnsupported operand 118\n\nCheck the docs\n"
    )
    assert _only(text).words == "Weights only load failed: Unsupported operand 118"


def test_a_recursion_keeps_both_ends() -> None:
    frame = '  File "t.py", line 2, in f\n    f()\n'
    text = f'{PLAIN.splitlines()[0]}\n  File "a.py", line 1, in a\n    f()\n{frame * 5000}'
    failure = _only(text + '  File "z.py", line 9, in z\n    x\nRecursionError: deep\n')
    assert failure.raised
    assert (failure.frames[0].path, failure.raised.path) == ("a.py", "z.py")
    assert len(failure.frames) < 1000


def test_log_lines_are_no_exceptions() -> None:
    assert read_trace("INFO: all is well\nError: none\nUserWarning: a warning\n").failures == ()


@given(st.text(max_size=400))
def test_any_text_is_survived(text: str) -> None:
    diagnose(text)


_PIECES = st.sampled_from(
    [
        *PLAIN.splitlines(),
        *CHAIN.splitlines(),
        "│",
        "-> 3 x",
        "[rank1]: ",
        "EOFError",
        "\x1b[0m",
        "",
    ]
)


@given(st.lists(st.one_of(_PIECES, st.text(max_size=20)), max_size=30))
def test_any_mixture_of_pieces_is_survived(pieces: list[str]) -> None:
    diagnose("\n".join(pieces))
