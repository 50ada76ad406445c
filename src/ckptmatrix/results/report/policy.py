"""What the page may do, told to the browser: its own style and script, and nothing else."""

import base64
import hashlib

from ckptmatrix.results.findings.tally import Tally


def content_security_policy(style: str, script: str) -> str:
    """Give the policy of a page with one style and one script in it, which its head names.

    Nothing is fetched, sent or framed, and no other script or style is applied, attributes
    included: whatever got into the page past all escaping does nothing there.

    Args:
        style: the very text between the tags of the style.
        script: the same of the script.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def sizes_style(tallies: list[Tally]) -> str:
    """Give the classes that stand in for style attributes: shares of a cell, widths of a bar."""
    shares = [f".share-{share} {{ --exact: {share}%; }}" for share in range(1, 100)]
    counts = sorted({count for tally in tallies for count in tally.by_status.values()})
    return "\n".join((*shares, *(f".grow-{count} {{ flex-grow: {count}; }}" for count in counts)))


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
