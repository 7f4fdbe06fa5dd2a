"""File URLs expire while files are read; the client requests new ones, for the same files only."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from insights_client import insights_at
from stub_server import Reply, StubServer, stub_server

from ci_magics.activation.segments.customer_insights.csv_route import Files
from ci_magics.errors import ServiceError
from ci_magics.microsoft.partitions import PartitionStream


def expiring(stub: Callable[[], StubServer], valid_after: int, counts: list[int]) -> Callable[[str], Reply]:
    """Return a service that names a number of files for each request; the first URLs have expired."""

    def choose(path: str) -> Reply:
        asked = sum(each.startswith("/api") or "/data/" in each for each in stub().paths)
        if path.startswith("/files/"):
            return Reply(b"CustomerId,EMail", 200 if asked > valid_after else 403)
        count = counts[min(asked, len(counts)) - 1]
        return Reply({"httpRequests": [{"uri": f"{stub().address}/files/{number}.csv"} for number in range(count)]})

    return choose


def test_expired_url_is_replaced_and_the_file_is_read() -> None:
    with stub_server(choose=expiring(lambda: stub, 1, [2])) as stub:
        files = Files(insights_at(stub.address), "1", "Customer")
        assert files.read(1, PartitionStream.read) == b"CustomerId,EMail"
    assert [path for path in stub.paths if path.startswith("/files/")] == ["/files/1.csv"] * 2


def test_urls_that_are_never_valid_are_given_up() -> None:
    with stub_server(choose=expiring(lambda: stub, 99, [2])) as stub, pytest.raises(ServiceError) as caught:
        Files(insights_at(stub.address), "1", "Customer").read(0, PartitionStream.read)
    assert caught.value.code == "file_expired"
    assert len([path for path in stub.paths if path.startswith("/files/")]) == 3


def test_another_number_of_files_stops_the_reading() -> None:
    with stub_server(choose=expiring(lambda: stub, 1, [2, 3])) as stub, pytest.raises(ServiceError) as caught:
        Files(insights_at(stub.address), "1", "Customer").read(0, PartitionStream.read)
    assert caught.value.code == "files_changed"
