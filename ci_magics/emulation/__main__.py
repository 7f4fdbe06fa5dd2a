"""Start the emulator: ``python -m ci_magics.emulation --port N``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import platform
import signal
import sys
import threading
from pathlib import Path
from types import ModuleType

import tornado.httpserver

from ci_magics.emulation.advertising.bulk import carry_out
from ci_magics.emulation.credentials import ready_credentials
from ci_magics.emulation.presence import DAMAGED, PROCESS_FILE, TAKEN, Leases
from ci_magics.emulation.server import start
from ci_magics.emulation.state import SIZE_HOURS, Settings, World
from ci_magics.emulation.storage import StateDamagedError, StateTakenError, Storage, write_private

#: Imported in the background in the first quiet moment: an emulator that lives for one short call never needs them.
_SLOW = ("advertising.ingest", "insights.data_pages", "insights.entity_metadata", "dataverse.tables")
Imports = list[asyncio.Future[ModuleType]]
_TICK = 0.25
_QUIET = 0.5  # seconds without a request before modules are imported and lists are compacted on disk


def main(arguments: list[str] | None = None) -> int:
    """Serve until stopped; the first line of output is a JSON object with address and credentials."""
    parser = argparse.ArgumentParser(prog="python -m ci_magics.emulation", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument("--state", type=Path, metavar="DIR", help="keep the state there; without it, in memory only")
    parser.add_argument(
        "--results-after",
        type=float,
        default=SIZE_HOURS,
        metavar="HOURS",
        help="hours from the first members of an audience to its size (48, as at Microsoft)",
    )
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input closes, so with the parent process"
    )
    parser.add_argument(
        "--until-unused", action="store_true", help="end when no client holds a lease any more; needs --state"
    )
    options = parser.parse_args(arguments)
    if options.until_unused and options.state is None:
        parser.error("--until-unused needs --state")
    world, storage = World(Settings(results_after_hours=options.results_after)), None
    if options.state is not None:
        try:
            storage = Storage(options.state.expanduser().absolute())
            storage.read(world)
        except StateTakenError:
            sys.stderr.write("Another emulator uses this state folder.\n")
            return TAKEN
        except StateDamagedError:
            sys.stderr.write("The state folder cannot be read. Delete it to begin again.\n")
            return DAMAGED
    try:
        asyncio.run(_serve(world, storage, options))
    except OSError as error:
        sys.stderr.write(f"The emulator cannot listen on port {options.port}: {error.strerror}.\n")
        return 1
    finally:
        if storage is not None:  # uploaded files in progress are complete by now
            _settle(world, storage)
            storage.close()
    return 0


async def _serve(world: World, storage: Storage | None, options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    leases = Leases()
    server, base_url = _listen(world, leases, storage, options.port)

    def end() -> None:
        leases.end_all()  # first, so that no client sends a request that would not be answered
        server.stop()
        stop.set()

    world.stop = end
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    if options.until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
    with world.changing():
        ready = {"base_url": base_url} if options.until_unused else ready_credentials(world, base_url)
    if storage is not None:
        _write_process_file(world, storage, base_url)
        for upload, content in storage.waiting_uploads(world):
            loop.run_in_executor(None, carry_out, world, upload, content)
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    imports: Imports = []
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _TICK)
        if options.until_unused and (leases.unused() or not _has_folder(storage)):
            end()
        elif leases.quiet_seconds() > _QUIET:
            imports = imports or _import_slow_modules(loop)
            if storage is not None and storage.unsettled(world):
                await loop.run_in_executor(None, _settle, world, storage)
    await asyncio.gather(*imports)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.close_all_connections(), 1)


def _import_slow_modules(loop: asyncio.AbstractEventLoop) -> Imports:
    names = (f"ci_magics.emulation.{each}" for each in _SLOW)
    return [loop.run_in_executor(None, importlib.import_module, each) for each in names]


def _listen(
    world: World, leases: Leases, storage: Storage | None, port: int
) -> tuple[tornado.httpserver.HTTPServer, str]:
    """Listen on a port. By default, prefer the port of the previous process, which saved addresses use."""
    last = _last_port(storage) if storage is not None and not port else 0
    if last:
        with contextlib.suppress(OSError):
            return start(world, leases, last)
    return start(world, leases, port)


def _has_folder(storage: Storage | None) -> bool:
    """Return whether the state folder still exists: deleting the workspace also ends its emulator."""
    return storage is not None and storage.folder.exists()


def _last_port(storage: Storage) -> int:
    try:
        known = json.loads((storage.folder / PROCESS_FILE).read_text("utf-8"))
        return int(known["base_url"].rpartition(":")[2])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _write_process_file(world: World, storage: Storage, base_url: str) -> None:
    """Record the address of this process; readers must verify that it still runs."""
    known = {
        "base_url": base_url,
        "pid": os.getpid(),
        "host": platform.node(),
        "control_token": world.control_token,
        "subscription_key": world.subscription_key,
    }
    beside = storage.folder / f"{PROCESS_FILE}.new"
    write_private(beside, json.dumps(known).encode())
    beside.replace(storage.folder / PROCESS_FILE)


def _settle(world: World, storage: Storage) -> None:
    for audience in storage.unsettled(world):
        with world.lock:
            storage.settle(audience)


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not from sys.stdin: at exit, Python aborts if a thread is still waiting for a line there.
    while os.read(sys.stdin.fileno(), 4096):
        continue
    with contextlib.suppress(RuntimeError):  # the loop has ended for another reason
        loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
