"""The front door: `nox -s matrix` does everything from nothing to the report."""

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "tests"]


@nox.session
def matrix(session: nox.Session) -> None:
    """Install the releases, cross-load their checkpoints, write reports/ (arguments after --)."""
    session.install("-e", ".")
    session.run("ckptmatrix", "run", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The harness's own tests but for those of whole runs; or a part of them (after --)."""
    _pytest(session, "-m", "not gpu and not slow and not long")


@nox.session
def coverage(session: nox.Session) -> None:
    """All of the tests, and what they cover, which has a floor; slower, for CI."""
    _pytest(
        session, "-m", "not gpu and not slow", "--cov", "--cov-report=term", "--cov-report=html"
    )


def _pytest(session: nox.Session, *options: str) -> None:
    session.install("-e", ".[test]")
    apart = ("--ignore=tests/matrix", "--ignore=tests/browser", "--ignore=tests/truth")
    spread = ("-n", "auto", "--dist", "worksteal")
    session.run("pytest", *apart, *spread, *options, *session.posargs)


@nox.session
def truth(session: nox.Session) -> None:
    """What is known of the releases, asserted against a run's matrix.json.gz (or the sample)."""
    session.install("-e", ".[test]")
    where = {"CKPTMATRIX_MATRIX": session.posargs[0]} if session.posargs else {}
    session.run("pytest", "tests/truth", env=where)


@nox.session
def score(session: nox.Session) -> None:
    """The judge's mutation score into reports/, and two runs that must agree; most of an hour."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "ckptmatrix.maintenance.score", "--tier", "smoke", *session.posargs)
    session.run("pytest", "tests/maintenance", "tests/measure", "-m", "slow")


@nox.session
def soak(session: nox.Session) -> None:
    """A run that is killed at random moments, for `--minutes N` (docs/reliability.md)."""
    session.install("-e", ".")
    session.run("python", "-m", "ckptmatrix.maintenance.soak", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """What a cell costs, and the tools on large checkpoints, into reports/; some minutes."""
    session.install("-e", ".")
    session.run("python", "tools/bench.py", *session.posargs)
    session.run("python", "tools/bench_large.py")


@nox.session
def browser(session: nox.Session) -> None:
    """The report in a real Chromium (`apt-get install chromium`, or CHROMIUM=/path/to/it)."""
    session.install("-e", ".[test,browser]")
    pictures = {"CKPTMATRIX_SCREENSHOTS": "reports/screenshots"}
    session.run("pytest", "tests/browser", *session.posargs, env=pictures)


@nox.session
def gpu(session: nox.Session) -> None:
    """The tests that need a CUDA device; each is skipped, with the reason, where there is none."""
    session.install("-e", ".[test]")
    session.run("pytest", "tests", "--ignore=tests/matrix", "-m", "gpu", "-rs", *session.posargs)


@nox.session
def standin(session: nox.Session) -> None:
    """A run with a CUDA stand-in, which computes nothing; skipped without gcc or a CUDA torch."""
    session.install("-e", ".")
    said = session.run("python", "tools/standin/session.py", "--why-not", silent=True)
    for line in str(said).splitlines():
        if line.startswith("skipped: "):
            session.skip(line.removeprefix("skipped: "))
    session.run("python", "tools/standin/session.py")


@nox.session
def fixtures(session: nox.Session) -> None:
    """Write fixtures/checkpoints/ anew with the real releases."""
    session.install("-e", ".")
    session.run("python", "tools/make_fixtures.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff, mypy over everything, and the direction of imports."""
    project = nox.project.load_toml("pyproject.toml")
    group = nox.project.dependency_groups(project, "lint")
    session.install("-e", ".[test,browser]", *group)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("lint-imports", "--no-cache", "--no-logo")
