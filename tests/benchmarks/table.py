"""The speed of our kernel and our upload compared with other ways, in one table.

``python tests/benchmarks/table.py [--quick] [--runs 5]``

Each way runs in its own process, which holds its input before the clock starts; the ways take turns, so that a
busy machine is busy for all of them. Medians; peak memory is what a process takes above its input. Linux only.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import pyarrow as pa
import pyarrow.parquet as pq
import uploads
import ways
from conftest import RunningEmulator, running_emulator
from measuring import Lane, machine, median

from ci_magics.sample import customers

_WAYS = (ways.series_apply, ways.python_loop, ways.duckdb_sql, ways.normalized, ways.kernel)
_HEAD = f"{'':<44}{'seconds':>9}{'min':>8}{'max':>8}{'times':>8}{'peak MB':>9}"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer addresses, three rounds")
    parser.add_argument("--runs", type=int, default=None, help="rounds; 5 unless quick")
    parser.add_argument("--emails", type=int, nargs="*", default=None)
    parser.add_argument("--items", type=int, default=None, help="hashes of an upload")
    options = parser.parse_args()
    runs = options.runs or (3 if options.quick else 5)
    sizes = options.emails if options.emails is not None else ([100_000] if options.quick else [500_000, 5_000_000])
    items = options.items or (50_000 if options.quick else 500_000)
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            emails(Path(folder), size, runs)
        files(items, runs)
        whole_uploads(folder, items, runs)
    print(machine())
    return 0


def emails(folder: Path, size: int, runs: int) -> None:
    """Normalize, give reasons, hash and deduplicate."""
    path = folder / "emails.parquet"
    pq.write_table(pa.table({"EMail": pa.array(customers(size)["EMail"], from_pandas=True)}), path)
    for kind in ("object", "str"):
        title = f"{size:,} addresses from pandas ({kind}) to reasons and different hashes"
        compare(title, [(str(way.__doc__).rstrip("."), way, (path, kind)) for way in _WAYS], runs)


def files(items: int, runs: int) -> None:
    """Write upload files."""
    rows = [("the SDK's BulkFileWriter and zip", uploads.sdk_zip), ("ci-magics", uploads.our_zip)]
    title = f"{items:,} hashes to the finished upload file"
    compare(title, [(name, way, ("1234567890", items)) for name, way in rows], runs)


def whole_uploads(folder: str, items: int, runs: int) -> None:
    """Upload to the emulator until everything is processed."""
    rows = [("the SDK's BulkFileWriter and BulkServiceManager", uploads.sdk_upload), ("ci-magics", uploads.our_upload)]
    with running_emulator() as emulator:
        os.environ["CI_MAGICS_EMULATOR"] = emulator.base_url
        account = account_of(emulator, folder)
        title = f"{items:,} hashes to an upload that the emulator has taken in"
        compare(title, [(name, way, (account, items)) for name, way in rows], runs)


def account_of(emulator: RunningEmulator, folder: str) -> uploads.Account:
    """Make a list, and return what an upload to it needs."""
    audience = {"Type": "CustomerList", "Name": "Benchmark", "Scope": "Account", "ParentId": "111"}
    made = emulator.call("POST", "/CampaignManagement/v13/Audiences", {"Audiences": [audience]}).json()
    emulator.control("POST", "/settings", {"terms_accepted": True})
    known = {name: value for name, value in asdict_of(emulator).items() if name in uploads.Account.__dataclass_fields__}
    return uploads.Account(**known, audience_id=str(made["AudienceIds"][0]), folder=folder)


def asdict_of(emulator: RunningEmulator) -> dict[str, Any]:
    """Return what is known of an emulator."""
    return {name: getattr(emulator, name) for name in RunningEmulator.__dataclass_fields__}


def compare(title: str, rows: list[tuple[str, Callable[..., Callable[[], int]], tuple[Any, ...]]], runs: int) -> None:
    """Let all ways take turns, and print what each took; the first is what the others are compared with."""
    lanes = [Lane(name, way, *arguments) for name, way, arguments in rows]
    for _round in range(runs):
        for lane in lanes:
            lane.run()
    print(f"\n{title}, medians of {runs}\n{_HEAD}")
    for lane in lanes:
        took = median(lane.times)
        ratio = f"{median(lanes[0].times) / took:.1f}"
        print(f"{lane.name:<44}{took:9.2f}{min(lane.times):8.2f}{max(lane.times):8.2f}{ratio:>8}{lane.megabytes:9,.0f}")
        lane.stop()


if __name__ == "__main__":
    sys.exit(main())
