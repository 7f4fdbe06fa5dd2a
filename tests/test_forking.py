"""After a fork, everything works if possible, and fails with advice where Polars would wait forever."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import RunningEmulator

#: Code for a forked process; each line computes something.
JOBS = {
    "normalize": "ci.normalize(people['EMail'])",
    "segment": "ci.segment('Some', people, where='Age > 20', show=quiet)",
    "segment of a file": "ci.segment('File', str(folder / 'people.csv'), show=quiet)",
    "segment of SQL": "ci.segment('SQL', 'SELECT * FROM people WHERE Age > 20', frames={'people': people}, show=quiet)",
    "preview": "ci.preview('All')",
    "export": "ci.export('All', to='Contoso', show=quiet)",
    "saved export": "ci.exports.run('Weekly', show=quiet)",
    "forget": "ci.forget(key='k1', show=quiet)",
    "overlap": "ci.overlap('All', 'Others')",
    "rule": "ci.segment('Both', rule=\"'All' and 'Others'\", show=quiet)",
    "quick segments": "ci.quick_segments(people, 'Age')",
    "inspect rules": "ci.inspect_rules(people, 'Age > 20')",
    "differentiators": "ci.differentiators('All', 'Others', people)",
    "text of keys": "ci.text_of_keys(people['Id'])",
    "download keys": "ci.segments.download('All', folder / 'keys.csv')",
}
#: Code that needs no Polars, and works in every process.
EASY = {
    "workspace": "len(ci.open_workspace().store.segments)",
    "list": "ci.segments.overview()",
    "status": "ci.status(show=quiet)",
    "tag": "ci.segments.tag('All', 'x')",
    "doctor": "ci.doctor()",
    "plan of what is counted": "ci.plan('All', to='Contoso', show=quiet)",
    "refresh of nothing": "ci.refresh(show=quiet)",
}
PROGRAM = """
import json, os, pathlib, signal, sys
import pandas as pd
import ci_magics as ci
folder, jobs, warm = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
quiet = lambda _sentence: None
numbers = range(40)
people = pd.DataFrame({"Id": [f"k{each}" for each in numbers], "EMail": [f"p{each}@contoso.com" for each in numbers],
                       "Age": [20 + each for each in numbers]})
people.to_csv(folder / "people.csv", index=False)
def prepare():
    ci.connect("Contoso", customer_id="222", account_id="111", agree=True, accept_terms=True, show=quiet)
    ci.segment("All", people, show=quiet)
    ci.segment("Others", people[:30], show=quiet)
    ci.exports.save("Weekly", "All", to="Contoso")
if warm == "ours":
    prepare()
elif warm == "theirs":
    import polars as pl
    pl.DataFrame({"a": [1, 2]}).lazy().group_by("a").len().collect()
else:
    ci.open_workspace().store  # a connection to the database that must not be shared
found = {}
for name, job in jobs.items():
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        signal.alarm(60)
        try:
            if warm == "nothing" and job.startswith("ci.") and "normalize" not in name and name != "workspace":
                prepare() if not ci.open_workspace().store.segments else None
            eval(job)
            answer = "works"
        except ci.CiError as error:
            answer = f"{error.code}"
        except BaseException as error:
            answer = repr(error)
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        found[name] = told.read() or "waits forever"
    os.waitpid(process, 0)
print(json.dumps(found))
"""


def after_a_fork(tmp_path: Path, jobs: dict[str, str], warm: str) -> dict[str, str]:
    """Run each job in its own forked process; return the results."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), json.dumps(jobs), warm],
        capture_output=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("emulator")
def test_everything_works_in_a_fork_before_polars_is_used(tmp_path: Path) -> None:
    jobs = {name: job for name, job in JOBS.items() if name in ("normalize", "segment", "preview", "export", "forget")}
    assert set(after_a_fork(tmp_path, jobs, "nothing").values()) == {"works"}


@pytest.mark.slow
def test_every_computation_fails_with_advice_in_a_fork_after_polars_was_used(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    found = after_a_fork(tmp_path, JOBS, "ours")
    assert found == dict.fromkeys(JOBS, "forked")
    assert emulator.audiences() == {}


@pytest.mark.slow
@pytest.mark.usefixtures("emulator")
def test_work_without_polars_succeeds_in_every_fork(tmp_path: Path) -> None:
    assert after_a_fork(tmp_path, EASY, "ours") == dict.fromkeys(EASY, "works")


@pytest.mark.slow
def test_direct_use_of_polars_counts_too(tmp_path: Path) -> None:
    assert after_a_fork(tmp_path, {"normalize": JOBS["normalize"]}, "theirs") == {"normalize": "forked"}


def test_error_lists_the_solutions(monkeypatch: pytest.MonkeyPatch) -> None:
    from ci_magics import forking

    monkeypatch.setattr(forking, "_works_in", 0)
    monkeypatch.setattr(forking, "_pool_is_gone", True)
    with pytest.raises(forking.ForkedError) as caught:
        forking.require_threads()
    for way in ("spawn", "--preload", "execute_tasks_new_python_interpreter", "ci-magics refresh"):
        assert way in str(caught.value)
