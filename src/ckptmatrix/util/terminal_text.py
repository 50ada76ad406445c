"""Texts out of a checkpoint or an exception, made fit to be shown."""

import re

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """Take out colours, which torch puts into messages, and what else a terminal would obey.

    Tabs and line ends stay.
    """
    return _CONTROLS.sub("", _COLOURS.sub("", text))
