"""A Chromium that draws nothing any more does not end the tests."""

import os
import signal

from tests.browser.conftest import OpenPage, drawing


def test_what_draws_is_started_again_when_it_hangs(open_page: OpenPage, many_report: str) -> None:
    watched = open_page(many_report)
    stopped = drawing(watched.page)
    assert stopped
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    watched.settle(patience=2_000)
    assert not set(stopped) & set(drawing(watched.page))
    watched.settle()
