"""Cleaning a text, before anything is looked for in it."""

from ckptmatrix.checkpoint.explain.text import LINE_LIMIT, clean_lines


def _texts(text: str) -> list[str]:
    return [line.text for line in clean_lines(text)]


def test_log_lines_that_rich_wrapped_are_joined() -> None:
    wrapped = """2024-08-20 10:02:33 INFO     Could not load random  checkpointing.py:283
                             states
                    INFO     next message           checkpointing.py:300
steps: 3
"""
    assert _texts(wrapped)[:2] == [
        "2024-08-20 10:02:33 INFO     Could not load random states",
        "                    INFO     next message",
    ]
    assert _texts(wrapped)[2] == "steps: 3"


def test_indented_code_below_a_log_line_is_not_joined() -> None:
    text = "10:00:00 INFO     hello\n    def f():\n        return 1\n"
    assert _texts(text)[1:3] == ["    def f():", "        return 1"]


def test_links_and_titles_of_terminals_are_removed() -> None:
    text = (
        "\x1b]8;id=1;file:///x\x1b\\checkpointing.py\x1b]8;;\x1b\\ \x1b]0;title\x07end \x9b31mred"
    )
    assert _texts(text) == ["checkpointing.py end red"]


def test_what_stands_before_a_header_is_taken_from_its_lines() -> None:
    text = 'n1 | Traceback (most recent call last):\nn2 |   File "a.py", line 1, in f\nother\n'
    assert _texts(text)[:3] == [
        "Traceback (most recent call last):",
        '  File "a.py", line 1, in f',
        "other",
    ]


def test_streams_are_those_of_the_launchers() -> None:
    text = "[rank2]: a\n[default1]:b\n[1,3]<stderr>: c\n(Worker pid=77, ip=10.0.0.1) d\n0: e\nf\n"
    streams = [line.stream for line in clean_lines(text)]
    assert streams[:4] == ["rank 2", "rank 1", "rank 3", "process 77"]
    assert streams[5] == ""


def test_a_very_long_line_is_shortened_at_its_middle() -> None:
    (line,) = _texts("a" * 100_000 + "end")
    assert len(line) < LINE_LIMIT + 10
    assert line.endswith("end")


def test_a_step_in_brackets_is_no_rank() -> None:
    assert [line.stream for line in clean_lines("[10] loss 0.3\n[2024-01-01] x\n")] == ["", "", ""]
