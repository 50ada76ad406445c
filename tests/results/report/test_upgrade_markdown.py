"""The verdict as Markdown."""

from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.report.markdown import render
from ckptmatrix.results.report.page import page_of
from ckptmatrix.results.report.upgrade_markdown import upgrade_markdown
from ckptmatrix.results.verdict import sentences
from ckptmatrix.results.verdict.upgrade import judge
from tests.support import synthetic

OLD, NEW = "accelerate-1.1.1+torch2.4-np1", "accelerate-1.15.0+torch2.15-np2"


def test_the_page_for_pull_requests_begins_with_the_step_to_the_newest_release() -> None:
    told = render(page_of(synthetic.matrix())).decode()
    head = told[: told.index("### Straight to the newest release")]
    assert "✓ **Go. Nothing gets worse.** accelerate 1.14.0 -&#62; 1.15.0 on torch2.15-np2" in head
    alone = render(page_of(synthetic.matrix(["1.15.0"]))).decode()
    assert "from the one before" not in alone


def test_it_says_what_the_command_says_with_the_choices_in_a_table() -> None:
    upgrade = judge(LoadIndex(synthetic.matrix()), OLD, NEW)
    told = list(upgrade_markdown(upgrade))
    assert told[0].startswith("≠ **Go, if you do this first: keep numpy 1.26.4 for now.**")
    assert [line for line in told if line.startswith("- is lost: ")] == [
        f"- is lost: {text}" for text in sentences.is_lost(upgrade.forward)
    ]
    table = [line for line in told if line.startswith("| ")]
    assert len(table) == 1 + len(upgrade.choices)
    assert "<code>pip install accelerate==1.15.0 torch==2.15.0 numpy==1.26.4</code>" in table[1]
    assert table[1].startswith("| **Keep")
    assert table[-1].startswith("| All at once")


def test_markup_out_of_a_checkpoint_stays_text() -> None:
    hostile = synthetic.matrix(["0.24.1", "0.33.0"], hostile="<img src=x>|`\n#")
    upgrade = judge(
        LoadIndex(hostile), "accelerate-0.24.1+torch2.4-np1", "accelerate-0.33.0+torch2.4-np1"
    )
    told = "\n".join(upgrade_markdown(upgrade))
    assert "<img" not in told
    assert "KeyError: 'step'&#60;img" in told
