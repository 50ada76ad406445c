"""One page of a package index: the files of a package, in either form of the simple API.

The JSON form (PEP 691) may say when each file was uploaded (PEP 700). The HTML form (PEP 503) of
older indexes never does, nor does a folder of wheels.
"""

from collections.abc import Iterable
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import msgspec

from ckptmatrix import __version__

_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPTED = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


class ListedFile(msgspec.Struct, frozen=True, rename="kebab"):
    """A file as a page lists it."""

    filename: str
    """Its name, such as `torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl`."""
    requires_python: str | None = None
    """Specifier of the Pythons that it is for."""
    yanked: bool | str = False
    """Whether it was withdrawn (PEP 592), or why."""
    upload_time: datetime | None = None
    """When it was uploaded; None where the index does not say."""


class _Page(msgspec.Struct):
    """The JSON form, as much of it as is asked for."""

    files: tuple[ListedFile, ...]


class PageError(Exception):
    """Why a page could not be read, in a few words."""


def files_at(url: str, certificates: str, timeout: float) -> tuple[ListedFile, ...]:
    """Read a page, or list a folder.

    Args:
        url: `https:`, `http:` or `file:`, or a local path; it may hold a user and a password.
        certificates: file of the authorities to trust; empty for the usual ones.
        timeout: seconds to wait for the connection, and for each part of the answer.

    Returns:
        What is listed there; nothing if there is no such page.

    Raises:
        PageError: it cannot be read.
    """
    if urlsplit(url).scheme in ("http", "https"):
        return _downloaded(url, certificates, timeout)
    place = Path(url2pathname(urlsplit(url).path) if url.startswith("file:") else url)
    index = place / "index.html"
    try:
        if index.is_file() or place.is_file():
            return _from_html((index if index.is_file() else place).read_text(encoding="utf-8"))
        return _named(file.name for file in place.iterdir()) if place.is_dir() else ()
    except (OSError, UnicodeDecodeError) as error:
        raise PageError(str(error)) from error


def _downloaded(url: str, certificates: str, timeout: float) -> tuple[ListedFile, ...]:
    import requests  # here, as most commands ask no index, and it takes a tenth of a second

    try:
        answer = requests.get(
            url,
            headers={"Accept": _ACCEPTED, "User-Agent": f"ckptmatrix/{__version__}"},
            timeout=timeout,
            verify=certificates or True,
        )
        if answer.status_code == requests.codes.not_found:
            return ()
        answer.raise_for_status()
        if answer.headers.get("content-type", "").partition(";")[0].strip() == _JSON:
            return msgspec.json.decode(answer.content, type=_Page).files
        return _from_html(answer.text)
    except requests.HTTPError as error:
        raise PageError(f"it answered {answer.status_code}") from error
    except requests.RequestException as error:
        raise PageError(_innermost(error)) from error
    except msgspec.DecodeError as error:
        raise PageError(f"its answer is not understood: {error}") from error


def _innermost(error: BaseException) -> str:
    """The cause of all in a chain of exceptions, which for a network is the system's own word."""
    while error.__context__ is not None:
        error = error.__context__
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _named(names: Iterable[str]) -> tuple[ListedFile, ...]:
    return tuple(ListedFile(name) for name in names)


def _from_html(text: str) -> tuple[ListedFile, ...]:
    parser = _Anchors()
    parser.feed(text)
    return tuple(parser.files)


class _Anchors(HTMLParser):
    """Collects the links of a page; each ends with the file's name."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[ListedFile] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a link."""
        found = dict(attrs)
        href = found.get("href")
        if tag == "a" and href:
            name = unquote(urlsplit(href).path.rpartition("/")[2])
            requires, yanked = found.get("data-requires-python"), "data-yanked" in found
            self.files.append(ListedFile(name, requires, yanked))
