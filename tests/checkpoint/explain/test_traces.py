"""Tracebacks in every shape that people paste."""

from hypothesis import given
from hypothesis import strategies as st

from ckptmatrix.checkpoint.explain.diagnosis import diagnose
from ckptmatrix.checkpoint.explain.traces import Failure, read_trace

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
    assert failure.message.startswith("'step'")
    frame = failure.frames[-1]
    assert frame.path.endswith("accelerate/accelerator.py")
    assert frame.line == 3156
    assert frame.function.endswith("load_state")
    assert frame.code == 'self.step = override_attributes["step"]'


def test_plain() -> None:
    _check(_only(PLAIN))


def test_with_rank_prefix() -> None:
    text = "".join(f"[rank3]: {line}\n" for line in PLAIN.splitlines())
    failure = _only(text)
    _check(failure)
    assert failure.rank == 3


def test_with_colours_and_carriage_returns() -> None:
    _check(_only("100%|████| 3/3\r\x1b[31m" + PLAIN.replace("\n", "\x1b[0m\n")))


def test_exception_before_its_frame() -> None:
    lines = PLAIN.splitlines()
    _check(_only("\n".join([lines[4], lines[1], lines[2]])))


def test_jupyter() -> None:
    text = """---------------------------------------------------------------------------
KeyError                                  Traceback (most recent call last)
Cell In[3], line 1
----> 1 accelerator.load_state("x")

File /env/lib/site-packages/accelerate/accelerator.py:3156, in Accelerator.load_state(self)
   3154     hook(models, input_dir)
   3155
-> 3156 self.step = override_attributes["step"]
   3157 x = 1

KeyError: 'step'
"""
    _check(_only(text))


def test_rich() -> None:
    text = """╭─────────── Traceback (most recent call last) ───────────╮
│ /env/lib/python3.10/site-packages/accelerate/accelerator.py:3156 in load_state │
│                                                                                │
│   3155 │   │   )                                                               │
│ ❱ 3156 │   │   self.step = override_attributes["step"]                         │
│   3157 │   │   custom_checkpoints = [                                          │
╰─────────────────────────────────────────────────────────╯
KeyError: 'step'
"""
    _check(_only(text))


def test_windows_paths() -> None:
    text = PLAIN.replace("/env/lib/python3.10/site-packages/", "C:\\env\\Lib\\site-packages\\")
    first = diagnose(text.replace("accelerate/accelerator", "accelerate\\accelerator"))[0]
    assert first.releases == ("0.33.0",)


def test_chained_exceptions_are_told_apart() -> None:
    text = (
        PLAIN
        + "\nDuring handling of the above exception, another exception occurred:\n\n"
        + 'Traceback (most recent call last):\n  File "t.py", line 2, in <module>\n    f()\n'
        + "ValueError: second\n"
    )
    failures = read_trace(text).failures
    assert [f.type for f in failures] == ["KeyError", "ValueError"]
    assert [len(f.frames) for f in failures] == [1, 1]


def test_messages_of_many_lines_are_kept() -> None:
    text = (
        "Traceback (most recent call last):\n"
        '  File "t.py", line 2, in <module>\n    f()\n'
        "RuntimeError: Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "a".\n\tUnexpected key(s) in state_dict: "b".\n'
    )
    assert "Unexpected key" in _only(text).message


def test_versions_from_pip_show_and_freeze() -> None:
    text = "Name: accelerate\nVersion: 0.33.0\ntorch==2.7.0+cu128\nnumpy 1.26.4\n"
    assert read_trace(text).versions == {
        "accelerate": "0.33.0",
        "torch": "2.7.0+cu128",
        "numpy": "1.26.4",
    }


def test_a_flag_of_accelerate_is_no_version() -> None:
    assert "accelerate" not in read_trace("accelerate launch --num_processes 2 train.py").versions


@given(st.text(max_size=400))
def test_any_text_is_survived(text: str) -> None:
    diagnose(text)


_PIECES = st.sampled_from(
    [*PLAIN.splitlines(), "│", "-> 3 x", "[rank1]: ", "EOFError", "\x1b[0m", ""]
)


@given(st.lists(st.one_of(_PIECES, st.text(max_size=20)), max_size=30))
def test_any_mixture_of_pieces_is_survived(pieces: list[str]) -> None:
    diagnose("\n".join(pieces))
