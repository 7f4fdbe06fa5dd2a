"""Run the same work on many items in parallel; results keep their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import polars as pl

from ci_magics.forking import require_threads

_Thing = TypeVar("_Thing")
_Result = TypeVar("_Result")


def in_parallel(work: Callable[[_Thing], _Result], things: Iterable[_Thing]) -> Iterator[_Result]:
    """Yield the result of each item, in order; only a few items are in flight at any time.

    As many threads work as Polars uses (``POLARS_MAX_THREADS`` limits both). It pays where the work is done outside
    of Python, as it is in Arrow and Polars.
    """
    require_threads()
    threads = pl.thread_pool_size()
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[_Result]] = deque()
    try:
        for thing in things:
            waiting.append(pool.submit(work, thing))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
