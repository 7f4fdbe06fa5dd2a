"""Tasks: ``nox --list`` names them, ``nox -s quick lint types`` runs some, and ``.ci/run`` runs all.

They run in the environment that nox is installed in (``pip install -e '.[lab,test,lint]'``) and install nothing.
Each task that runs tests leaves a report in ``.ci``; a test that is skipped fails its task.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["quick", "lint", "types"]

HERE = Path(__file__).parent
REPORTS = HERE / ".ci"
NOTEBOOKS = sorted((HERE / "notebooks").glob("*.ipynb"))
#: What a report counts, in the order and with the words in which they are printed.
COUNTED = {
    "tests": "python tests",
    "slow": "slow and thorough tests",
    "browser": "browser tests",
    "postgresql": "PostgreSQL tests",
    "mariadb": "MariaDB tests",
    "spark": "Spark tests",
}
#: Folders whose branches are counted, and what tests should reach there, in percent.
MEASURED, WANTED = ("activation", "matching", "microsoft"), 95.0


def python(session: nox.Session, *arguments: str, **options: str) -> None:
    """Run a module of this environment."""
    session.run(sys.executable, "-m", *arguments, external=True, env=options)


def run_tests(session: nox.Session, name: str, *arguments: str, **options: str) -> None:
    """Run tests, and fail if one is skipped. You can pass arguments to pytest after ``--``."""
    report = REPORTS / f"{name}.xml"
    python(session, "pytest", "-q", f"--junitxml={report}", *arguments, *session.posargs, **options)
    if counts(report)["skipped"]:
        session.error("a test was skipped")


def counts(report: Path) -> dict[str, int]:
    """Return how many tests a report counts in all, and how many did not pass."""
    suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314 - pytest has just written it
    if suite is None:
        raise ValueError(f"{report} is no report of pytest")
    return {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}


@nox.session
def quick(session: nox.Session) -> None:
    """Rules and plain functions, in less than a minute."""
    run_tests(session, "quick", "-m", "quick")


@nox.session
def tests(session: nox.Session) -> None:
    """Run what the README's *Test it* runs: every test that needs only Python, except slow ones."""
    run_tests(session, "tests", "-n", "auto", "--dist", "worksteal", "-m", "not slow")


@nox.session
def slow(session: nox.Session) -> None:
    """Campaigns of kills, tests that start programs or kernels, notebooks by nbval; and rules with more examples."""
    options = ("-n", "auto", "--dist", "loadfile", "-m", "slow or hypothesis")
    run_tests(session, "slow", *options, CI_MAGICS_TESTS="thorough")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, and what is known to be unsafe."""
    python(session, "ruff", "check", ".")
    python(session, "ruff", "format", "--check", ".")
    python(session, "bandit", "-q", "-c", "pyproject.toml", "-r", "ci_magics")


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    python(session, "mypy")


@nox.session
def nbconvert(session: nox.Session) -> None:
    """Execute each example notebook with nbconvert."""
    with tempfile.TemporaryDirectory() as folder:
        for notebook in NOTEBOOKS:
            options = ("--log-level=ERROR", "--to", "notebook", "--execute", str(notebook), "--output-dir", folder)
            python(session, "jupyter", "nbconvert", *options, CI_MAGICS_WORKSPACE=f"{folder}/{notebook.stem}")


@nox.session
def papermill(session: nox.Session) -> None:
    """Execute each example notebook with papermill."""
    with tempfile.TemporaryDirectory() as folder:
        for notebook in NOTEBOOKS:
            options = ("--log-level", "ERROR", "--no-progress-bar", "-k", "python3", "--cwd", "notebooks")
            done = f"{folder}/done.ipynb"
            python(session, "papermill", *options, str(notebook), done, CI_MAGICS_WORKSPACE=f"{folder}/{notebook.stem}")


@nox.session
def binder(session: nox.Session) -> None:
    """Install what Binder installs in a new environment, and execute the first notebook there."""
    with tempfile.TemporaryDirectory() as folder:
        programs = Path(folder) / "environment" / "bin"
        python(session, "venv", str(programs.parent))
        session.run(str(programs / "pip"), "install", "-q", "-r", "binder/requirements.txt", external=True)
        path = {"PATH": f"{programs}:{os.environ['PATH']}", "CI_MAGICS_WORKSPACE": f"{folder}/workspace"}
        session.run("bash", "binder/postBuild", external=True, env=path)
        session.run(str(programs / "ci-magics"), "notebook", str(NOTEBOOKS[0]), external=True, silent=True, env=path)


@nox.session
def browser(session: nox.Session) -> None:
    """Forms, results and the side panel in Chromium."""
    run_tests(session, "browser", "tests/browser")


@nox.session
def postgresql(session: nox.Session) -> None:
    """Workspaces and segments on PostgreSQL; each worker starts a server of its own."""
    run_tests(session, "postgresql", "-n", "2", "--dist", "loadfile", "tests/postgresql")


@nox.session
def mariadb(session: nox.Session) -> None:
    """Segments from MariaDB."""
    run_tests(session, "mariadb", "tests/mariadb")


@nox.session
def spark(session: nox.Session) -> None:
    """Segments from Spark, which needs Java."""
    run_tests(session, "spark", "tests/spark")


@nox.session
def coverage(session: nox.Session) -> None:
    """Say which part of the branches the tests took that ran last with ``--cov --cov-report=``."""
    for folder in MEASURED:
        report = REPORTS / f"coverage-{folder}.json"
        python(session, "coverage", "json", "-q", f"--include=ci_magics/{folder}/*", "-o", str(report))
        found = json.loads(report.read_text("utf-8"))["totals"]
        percent = 100 * found["covered_branches"] / found["num_branches"]
        remark = "" if percent >= WANTED else f", less than the {WANTED:.0f} % that it should be"
        sys.stdout.write(f"branch coverage of {folder}: {percent:.1f} %{remark}\n")


@nox.session
def count(session: nox.Session) -> None:
    """Say how many tests passed, from the reports of the tasks before."""
    passed = failed = 0
    for name, words in COUNTED.items():
        report = REPORTS / f"{name}.xml"
        if not report.is_file():
            session.error(f"{words} were not run")
        found = counts(report)
        wrong = found["failures"] + found["errors"] + found["skipped"]
        sys.stdout.write(f"{words}: {found['tests'] - wrong} passed, {wrong} failed\n")
        passed, failed = passed + found["tests"] - wrong, failed + wrong
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    if failed:
        session.error("a test failed or was skipped")
