"""The entire crash campaign: ``python tests/crash/campaign.py [--times 200] [--first 0] [--emulator]``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import running_emulator
from killed_exports import KINDS, Emulator, Trial, WorkspaceEmulator, run_trial
from killed_tasks import TASKS, run_task

#: So many trials include every kind of export and task.
_ALL_KINDS = 3 * max(len(KINDS), len(TASKS))


def main() -> int:
    """Print the result; the exit status is 1 if a trial ended differently from an undisturbed run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed of the first trial")
    parser.add_argument("--emulator", action="store_true", help="kill the emulator of the workspace as well")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.times)
    if options.emulator:
        emulator_of_the_workspace = WorkspaceEmulator()
        return report([one(emulator_of_the_workspace, seed) for seed in seeds])
    with running_emulator() as emulator:
        trials = [one(emulator, seed) for seed in seeds]
    return report(trials)


def one(emulator: Emulator, seed: int) -> Trial:
    """Kill an export, or every third time a task; see `killed_tasks`."""
    rounds, place = divmod(seed, 3)
    # Exports and tasks are numbered separately, so that every kind is tried.
    trial = run_task(emulator, rounds) if place == 2 else run_trial(emulator, 2 * rounds + place)
    trial = replace(trial, seed=seed)
    told = ("equal" if trial.equal else "OTHER") + ("" if trial.agreed else ", places do not agree")
    print(f"{seed} {trial.kind}: {told}", file=sys.stderr, flush=True)
    return trial


def report(trials: list[Trial]) -> int:
    """Print the trials by kind."""
    kinds = Counter(each.kind for each in trials)
    heads = ("trials", "kills", "midway", "faults", "calls", "files", "equal")
    print(f"{'kind':<18}" + "".join(f"{head:>8}" for head in heads))
    for kind, count in kinds.items():
        mine = [each for each in trials if each.kind == kind]
        sums = [sum(getattr(each, head) for each in mine) for head in heads[1:]]
        print(f"{kind:<18}" + "".join(f"{number:>8}" for number in (count, *sums)))
    wrong = [each.seed for each in trials if not (each.equal and each.agreed)]
    missing = sorted({*KINDS, *TASKS} - set(kinds))
    kills, faults = sum(each.kills for each in trials), sum(each.faults for each in trials)
    print(f"{len(trials)} trials, {kills} processes killed, {faults} faults, {len(wrong)} that ended otherwise")
    if wrong:
        print(f"seeds of these: {wrong}")
    if missing:
        print(f"kinds that had no turn: {', '.join(missing)}")
    return 1 if wrong or (missing and len(trials) >= _ALL_KINDS) else 0


if __name__ == "__main__":
    sys.exit(main())
