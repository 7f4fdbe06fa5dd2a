"""Members of a segment of Customer Insights, read by each of the three routes from the emulator.

``python tests/benchmarks/insights.py [--members 500000] [--runs 3]``

Each route reads in its own process, so that its peak of memory is its own: what is printed is above what the
process took before it began to read. The same with a tenth of the members shows what grows with them. Last, a reading
by pages is broken off at page 1,000 and gone on with.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import forget_peak, in_its_own_process, machine, median, memory, peak_since, seconds

ROUTES = ("rest", "csv", "dataverse")
SEGMENT = "All_customers"
OPERATIONS = ("GetData", "GetPartition", "GetSegmentMemberships", "GetCustomerProfiles")
PAGE = 1_000


@dataclass(frozen=True)
class Measured:
    """What one reading took; processor time is that of the client alone, whatever else the machine does."""

    seconds: float
    processor: float
    requests: int
    megabytes: float
    rows: int


def main() -> int:
    """Print a line for each route."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(machine())
    print(f"{'route':<12}{'members':>10}{'seconds':>10}{'CPU s':>10}{'requests':>10}{'MB above':>10}")
    for members in (options.members // 10, options.members):
        for via in ROUTES:
            runs = [in_its_own_process(reading, via, members) for _ in range(options.runs)]
            if any(each.rows != members for each in runs):
                raise SystemExit(f"{via} brought {runs[0].rows:,} of {members:,} members.")
            took, processor = (median([getattr(each, name) for each in runs]) for name in ("seconds", "processor"))
            most = max(each.megabytes for each in runs)
            print(f"{via:<12}{members:>10,}{took:>10.1f}{processor:>10.1f}{runs[0].requests:>10,}{most:>10.0f}")
    if options.members > PAGE * 100:
        first, rest = in_its_own_process(interrupted, options.members)
        print(f"rest, broken off behind page {first - 1:,}: {rest:,} requests more to the end")
    return 0


def reading(via: str, members: int) -> Measured:
    """Read a segment once."""
    source = opened(members)
    import ci_magics as ci

    ci.segment("Warm", source.segment("Nobody", via=via), show=unheard)
    before, asked = memory(), calls()
    forget_peak()
    processor = time.process_time()
    took, segment = seconds(lambda: ci.segment("All", source.segment(SEGMENT, via=via), show=unheard))
    processor = time.process_time() - processor
    return Measured(took, processor, calls() - asked, peak_since() - before, segment.rows)


def interrupted(members: int) -> tuple[int, int]:
    """Interrupt a reading after page 1,000; return how many requests that took, and how many the rest took."""
    source = opened(members)
    import ci_magics as ci

    ci.emulator.control("faults", [{"operation": "GetData", "call": PAGE + 1, "fault": "http_403"}])
    try:
        ci.segment("All", source.segment(SEGMENT, via="rest"), show=unheard)
    except ci.CiError as error:
        if error.code != "Forbidden":
            raise
    asked = calls()
    segment = ci.segment("All", source.segment(SEGMENT, via="rest"), show=unheard)
    if segment.rows != members:
        raise SystemExit(f"The second attempt brought {segment.rows:,} members.")
    return asked, calls() - asked


def opened(members: int) -> Any:
    """Return Customer Insights of a separate emulator with so many customers, all in one segment."""
    os.environ["CI_MAGICS_WORKSPACE"] = str(Path(tempfile.mkdtemp()) / "workspace")
    import ci_magics as ci

    ci.emulator.control("settings", {"customers": members})
    return ci.insights("Contoso", show=unheard)


def calls() -> int:
    """Return how many requests for members the emulator has received."""
    import ci_magics as ci

    return sum(each["operation"] in OPERATIONS for each in ci.emulator.control("requests"))


def unheard(_sentence: str) -> None:
    """Print nothing."""


if __name__ == "__main__":
    sys.exit(main())
