"""The front door: `nox -s matrix` does everything from nothing to the report."""

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["tests"]


@nox.session
def matrix(session: nox.Session) -> None:
    """Install the releases, cross-load their checkpoints, write reports/ (arguments after --)."""
    session.install("-e", ".")
    session.run("ckptmatrix", "run", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The harness's own tests, a few real environments included."""
    session.install("-e", ".[test]")
    session.run("pytest", "--ignore=tests/matrix", "--ignore=tests/browser", *session.posargs)
