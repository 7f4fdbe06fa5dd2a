"""Functions for all benchmarks: time, memory, and separate processes."""

from __future__ import annotations

import multiprocessing as mp
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long work takes, and what it returns."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def peak() -> float:
    """Return the most memory that this process has taken so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory() -> float:
    """Return what this process takes now, in megabytes."""
    return psutil.Process().memory_info().rss / 1e6


def machine() -> str:
    """Return processor, number of processors, and how busy they are."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{os.cpu_count()} processors {model}, load {os.getloadavg()[0]:.2f}, Python {platform.python_version()}"


def in_its_own_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return what work returns in a new process."""
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    result = ours.recv()
    process.join()
    return result


def _answer(pipe: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    pipe.send(work(*arguments))


class Lane:
    """A process that repeats the same work on request, and its measurements.

    Parameters
    ----------
    name
        Its name in the table.
    prepare
        Called once in the process with the arguments; returns the work.
    """

    def __init__(self, name: str, prepare: Callable[..., Callable[[], Any]], *arguments: Any) -> None:
        self.name = name
        self.times: list[float] = []
        self.megabytes = 0.0
        self.result: Any = None
        context = mp.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, prepare, arguments), daemon=True)
        self._process.start()
        theirs.close()
        self._ours.recv()  # it is ready

    def run(self) -> Any:
        """Do the work once without and once with measuring; record seconds, and memory above that of the start.

        The first run compensates for the runs of others, during which the system reclaims memory.
        """
        self._ours.send(True)
        took, self.megabytes, self.result = self._ours.recv()
        self.times.append(took)
        return self.result

    def stop(self) -> None:
        """End the process."""
        self._ours.send(False)
        self._process.join()


def _work(pipe: Any, prepare: Callable[..., Callable[[], Any]], arguments: tuple[Any, ...]) -> None:
    work = prepare(*arguments)
    before, highest = memory(), 0.0
    pipe.send(None)
    while pipe.recv():
        forget_peak()
        work()
        took, result = seconds(work)
        highest = max(highest, peak_since() - before)
        pipe.send((took, highest, result))


def forget_peak() -> None:
    """Reset the peak of memory that Linux records."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_since() -> float:
    """Return the most memory that this process has taken since `forget_peak`, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
