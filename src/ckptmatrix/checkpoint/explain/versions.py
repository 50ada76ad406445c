"""Versions of packages that a text mentions, in the layouts in which people give them.

`pip freeze`, `pip list`, `uv pip list`, `conda list`, `pip show`, what pip says when it installs,
`accelerate env`, `transformers-cli env`, torch's `collect_env`, Hugging Face's issue template.
A sentence such as "In PyTorch 2.6, we changed the default" mentions no version.
"""

import re

from packaging.version import InvalidVersion, Version

_SPELLED = {"pytorch": "torch"}
_PACKAGES = (
    "accelerate|(?:py)?torch|numpy|safetensors|transformers|diffusers|peft|deepspeed|bitsandbytes"
)
_NUMBER = (
    r"v?(?P<version>\d{1,4}\.\d{1,4}(?:\.\d{1,4}){0,2}(?:\.?(?:a|b|rc|post|dev)\d{1,8})?"
    r"(?:\+[\w.]{1,40})?)"
)

_NAMED = re.compile(
    rf"^[\s>*•+-]{{0,12}}(?:\[(?:pip3?|conda|\+)\]\s{{1,4}})?[`'\"|]?\s?(?P<name>{_PACKAGES})[`'\"]?"
    rf"(?P<word>\s{{1,4}}version)?(?:\s{{1,4}}\(GPU\?\))?[`'\"]?"
    rf"(?P<between>\s{{0,4}}(?:={{1,3}}|:)\s{{0,40}}|\s{{1,60}}\|?\s{{0,4}})[`'\"]?{_NUMBER}(?P<rest>.*)$",
    re.IGNORECASE,
)
"""A line that gives one package and its version."""
_PINNED = re.compile(
    rf"(?<![\w.-])(?P<name>{_PACKAGES})(?:\[\w+\])?==={{0,1}}{_NUMBER}(?![\w*.])", re.IGNORECASE
)
_LISTED = re.compile(
    rf"(?<![\w.-])(?P<name>{_PACKAGES}) "
    r"(?P<version>\d{1,4}(?:\.\d{1,4}){2}(?:\+\w{1,40})?)(?![\w.*])",
    re.IGNORECASE,
)
"""`with accelerate 0.33.0 and torch 2.6.0`: in a sentence only a whole version counts."""
_INSTALLED = re.compile(rf"(?<![\w.-])(?P<name>{_PACKAGES})-{_NUMBER}(?= |$)", re.IGNORECASE)
_SATISFIED = re.compile(
    rf"^Requirement already satisfied: (?P<name>{_PACKAGES})\b.{{0,300}} \({_NUMBER}\)$",
    re.IGNORECASE,
)
_HAVE = re.compile(rf"but you have (?P<name>{_PACKAGES}) {_NUMBER}", re.IGNORECASE)
_PIP_SHOW = re.compile(rf"^Name: (?P<name>{_PACKAGES})$", re.IGNORECASE)
_NAMES = _PACKAGES.replace("(?:py)?", "").split("|")
_NUMBER_NEAR = re.compile(r"\d\.\d")


def versions_in(lines: list[str]) -> dict[str, tuple[str, ...]]:
    """Collect what lines say of versions.

    Args:
        lines: the text, cleaned of escapes and prefixes.

    Returns:
        Package -> its versions in the order of mention, each once; several if the text names
        several, such as those before and after an upgrade.
    """
    found: dict[str, list[str]] = {}
    for at in _naming(lines):
        line = lines[at]
        following = lines[at + 1] if at + 1 < len(lines) else ""
        for name, version in _mentions(line, following):
            package = _SPELLED.get(name.lower(), name.lower())
            known = found.setdefault(package, [])
            if version not in known and is_version(version):
                known.append(version)
    return {package: tuple(versions) for package, versions in found.items() if versions}


def _naming(lines: list[str]) -> list[int]:
    """Numbers of the lines that name a package and may give its version."""
    found = []
    for at, line in enumerate(lines):
        lower = line.lower()
        if any(name in lower for name in _NAMES) and len(line) <= 2000:
            near = lower + (
                lines[at + 1] if line.startswith("Name: ") and at + 1 < len(lines) else ""
            )
            if _NUMBER_NEAR.search(near):
                found.append(at)
    return found


def is_version(text: str) -> bool:
    """Whether a text is a version that can be compared."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _mentions(line: str, following: str) -> list[tuple[str, str]]:
    """Names and versions of one line."""
    if match := _PIP_SHOW.match(line):
        shown = re.fullmatch(rf"Version: {_NUMBER}", following.strip())
        return [(match["name"], shown["version"])] if shown else []
    if line.lstrip().startswith("File ") or "requires " in line:
        return [(have["name"], have["version"]) for have in _HAVE.finditer(line)]
    if line.startswith("Successfully installed "):
        return [(one["name"], one["version"]) for one in _INSTALLED.finditer(line)]
    if match := _SATISFIED.match(line):
        return [(match["name"], match["version"])]
    if (match := _NAMED.match(line)) and _is_entry(match):
        first = [(match["name"], match["version"])]
        return first + _all(line, match.end("version"))
    return _all(line, 0)


def _all(line: str, start: int) -> list[tuple[str, str]]:
    pins = [(m["name"], m["version"]) for m in _PINNED.finditer(line, start)]
    return pins or [(m["name"], m["version"]) for m in _LISTED.finditer(line, start)]


def _is_entry(match: re.Match[str]) -> bool:
    """Whether a line that begins with a package and a number is one of a list, and no sentence."""
    rest, between = match["rest"], match["between"]
    if match["word"] or between.strip() or len(between) > 1:
        return not rest or not rest[0].isalnum()
    return not rest or rest[0] in ",;)" or rest.startswith((" (", "  "))
