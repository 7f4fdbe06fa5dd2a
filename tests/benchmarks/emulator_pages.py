"""What a page of Customer Insights or Dataverse costs the emulator: ``python tests/benchmarks/emulator_pages.py``.

The emulator runs in this process, so that its processor time is measured separately; nothing goes over HTTP.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from measuring import machine, median, memory

from ci_magics.emulation.call import Call
from ci_magics.emulation.dataverse import tables as dataverse
from ci_magics.emulation.insights.data_pages import get_data
from ci_magics.emulation.insights.partitions import get_partition
from ci_magics.emulation.invented import selection
from ci_magics.emulation.state import DATAVERSE, INSIGHTS, World

MEMBERS = "IsMemberOfSegment('All_customers')"


def call(world: World, arguments: dict[str, str], query: dict[str, str], path: str = "/api/") -> Call:
    """Build a request as the server would."""
    token = world.issue_access_token(f"{INSIGHTS} {DATAVERSE}", 3600)
    raw = "&".join(f"{name}={value}" for name, value in query.items())
    headers = {"Authorization": f"Bearer {token}"}
    return Call("GET", path, query, headers, b"", "127.0.0.1", arguments, raw_query=raw)


def rest(world: World, number: int) -> Call:
    """Ask Customer Insights for a page of members."""
    query = {"$filter": MEMBERS, "$select": "CustomerId,EMail", "$skip": str(number * world.settings.page_size)}
    return call(world, {"instance": world.insights.home, "path": "Customer"}, query)


def profiles(world: World, _number: int) -> Call:
    """Ask Dataverse for its first page of profiles."""
    query = {"$select": "msdynci_customerid,msdynci_email"}
    return call(world, {"version": "v9.2", "set": "msdynci_customerprofiles"}, query)


def measured(operation: Callable[[World, Call], Any], ask: Callable[[World, int], Call], world: World, n: int) -> float:
    """Return the median processor time of ``n`` pages, in milliseconds."""
    spent = []
    for number in range(n):
        asked = ask(world, number)
        started = time.process_time()
        operation(world, asked)
        spent.append((time.process_time() - started) * 1000)
    return median(spent)


def partitions(world: World) -> float:
    """Return the processor time of writing all CSV partitions of two columns, in milliseconds."""
    asked = call(world, {"instance": world.insights.home, "path": "Customer"}, {"$select": "CustomerId,EMail"})
    asked.query["proxy"] = "true"
    requests = get_data(world, asked).body["httpRequests"]
    started = time.process_time()
    for number, request in enumerate(requests):
        path, _, query = request["uri"].removeprefix("http://127.0.0.1").partition("?")
        arguments = {"instance": world.insights.home, "entity": "Customer", "number": f"{number:05d}"}
        fetch = call(world, arguments, dict(part.split("=", 1) for part in query.split("&")), path)
        fetch.query["c"] = "CustomerId,EMail"
        fetch.headers = request["headers"]
        for _piece in get_partition(world, fetch).body:
            pass
    return (time.process_time() - started) * 1000


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=500_000)
    parser.add_argument("--pages", type=int, default=50)
    options = parser.parse_args()
    world = World()
    world.settings.customers = options.customers
    print(machine())
    started = time.process_time()
    for name in world.insights.segments:
        selection.members(world, name)
    print(f"evaluate the segments: {(time.process_time() - started) * 1000:.0f} ms")
    print(f"page of 100 members: {measured(get_data, rest, world, options.pages):.1f} ms")
    world.settings.page_size = 5_000
    print(f"page of 5,000 members: {measured(get_data, rest, world, options.pages):.1f} ms")
    print(f"page of 5,000 Dataverse profiles: {measured(dataverse.get_rows, profiles, world, options.pages):.1f} ms")
    print(f"{options.customers:,} rows as CSV: {partitions(world):.0f} ms")
    print(f"memory: {memory():.0f} MB")


if __name__ == "__main__":
    main()
