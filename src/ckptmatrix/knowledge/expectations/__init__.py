"""Outcomes that are known: a cause over regions of versions and scenarios, and what is lost there.

`expectations.toml`, or a tier's own `expectations.TIER.toml`, is read by `reading`, written by
`writing`, judged by in `judging`, and brought up to date from a run by `update`;
docs/expectations.md describes it.
"""

from ckptmatrix.knowledge.expectations.judging import Expectations, judged_by_expectations
from ckptmatrix.knowledge.expectations.reading import expectations_file, read_expectations

__all__ = ["Expectations", "expectations_file", "judged_by_expectations", "read_expectations"]
