"""A package index on this machine: pages as real ones are, in both forms of the simple API."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

JSON = "application/vnd.pypi.simple.v1+json"


@dataclass
class Index:
    """What it has, and how often it was asked."""

    url: str
    """Where it is, with `/simple` at its end."""
    files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Package -> its files, as in PEP 691."""
    html_only: bool = False
    """Whether it knows only the older form, which has no dates."""
    raw: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    """Package -> status, content type and text, in place of a page."""
    asked: list[str] = field(default_factory=list)
    """Packages that were asked for."""

    def release(
        self,
        package: str,
        version: str,
        uploaded: str | None = None,
        requires: str | None = None,
        yanked: bool | str = False,
        platform: str = "py3-none-any",
    ) -> None:
        """Put a wheel there; `uploaded` is a day or a time in ISO 8601."""
        wheel: dict[str, Any] = {
            "filename": f"{package}-{version}-{platform}.whl",
            "url": f"{self.url}/files/{package}-{version}-{platform}.whl",
            "hashes": {},
            "requires-python": requires,
            "yanked": yanked,
        }
        if uploaded:
            wheel["upload-time"] = uploaded if "T" in uploaded else f"{uploaded}T12:00:00.000000Z"
        self.files.setdefault(package, []).append(wheel)

    def page(self, package: str, accepted: str) -> tuple[int, str, str]:
        """Status, content type and text of a package's page."""
        self.asked.append(package)
        if package in self.raw:
            return self.raw[package]
        if package not in self.files:
            return 404, "text/plain", "no such package"
        if JSON in accepted and not self.html_only:
            meta = {"api-version": "1.1"}
            page = {"meta": meta, "name": package, "files": self.files[package]}
            return 200, JSON, json.dumps(page)
        return 200, "text/html; charset=utf-8", html(self.files[package])


def html(files: list[dict[str, Any]]) -> str:
    """The older form of a page."""
    lines = ["<!DOCTYPE html><html><body><h1>Links</h1>"]
    for file in files:
        requires = (file["requires-python"] or "").replace(">", "&gt;")
        more = f' data-requires-python="{requires}"' if requires else ""
        more += ' data-yanked=""' if file["yanked"] else ""
        lines.append(f'<a href="{file["url"]}#sha256=00"{more}>{file["filename"]}</a><br/>')
    return "\n".join([*lines, "</body></html>"])


@contextmanager
def serving(html_only: bool = False) -> Iterator[Index]:
    """Give an index that answers until the end of the block."""
    index = Index("", html_only=html_only)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            package = self.path.strip("/").rpartition("/")[2]
            status, kind, text = index.page(package, self.headers.get("Accept", ""))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index.url = f"http://127.0.0.1:{server.server_port}/simple"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask_only(monkeypatch: pytest.MonkeyPatch, *urls: str, find_links: str = "") -> None:
    """Make these indexes the machine's, and no other."""
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    for name in ("UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("UV_DEFAULT_INDEX", urls[0])
    if len(urls) > 1:
        monkeypatch.setenv("UV_INDEX", " ".join(urls[1:]))
    if find_links:
        monkeypatch.setenv("UV_FIND_LINKS", find_links)
