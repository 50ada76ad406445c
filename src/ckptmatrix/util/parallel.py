"""Doing the same to many things side by side, so that an interrupt ends it soon."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def side_by_side(function: Callable[[_T], _R], items: Iterable[_T], jobs: int) -> list[_R]:
    """Call `function` with each item, `jobs` at a time; results in the order of the items.

    The first exception, or Ctrl-C, is raised once those under way have ended; no more are begun.
    """
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
