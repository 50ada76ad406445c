"""Write docs/causes.md from the catalogue in src/ckptmatrix/knowledge/causes/.

python tools/make_causes_page.py
"""

from pathlib import Path

from ckptmatrix.knowledge.causes import CauseId, KnownCause, known_causes

PAGE = Path(__file__).parents[1] / "docs" / "causes.md"

HEAD = """\
# Causes

Why cells come out as they do, in the order in which they are asked. Whether a cause explains a cell
is decided from what was measured there; which releases it reaches, a report says. This page is made
by `tools/make_causes_page.py`.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(known_causes()), encoding="utf-8")


def page(causes: dict[CauseId, KnownCause]) -> str:
    """The page as Markdown."""
    return "\n".join([HEAD, *(_entry(name, known) for name, known in causes.items())])


def _entry(name: str, known: KnownCause) -> str:
    cause = known.cause
    links = "".join(f"\n- <{link}>" for link in cause.links)
    remedy = f"**Remedy**: {cause.remedy}" if cause.remedy else ""
    return f"## {name}\n\n**{cause.title}.** {cause.explanation}\n\n{remedy}\n{links}\n"


if __name__ == "__main__":
    main()
