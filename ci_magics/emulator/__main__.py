"""Start the emulator: ``python -m ci_magics.emulator --port N``."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import signal
import sys
import threading

from ci_magics.emulator.server import ready_credentials, start
from ci_magics.emulator.state import World

#: Imported while the first clients find their way here.
_SLOW = ("advertising.ingest", "insights.data_pages", "insights.entity_metadata", "dataverse.tables")


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; the first line of output is a JSON object with address and credentials."""
    parser = argparse.ArgumentParser(prog="python -m ci_magics.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input closes, so with the parent process"
    )
    options = parser.parse_args(arguments)
    try:
        asyncio.run(_serve(options.port, until_stdin_closes=options.until_stdin_closes))
    except OSError as error:
        sys.stderr.write(f"The emulator cannot listen on port {options.port}: {error.strerror}.\n")
        return 1
    return 0


async def _serve(port: int, *, until_stdin_closes: bool) -> None:
    world = World()
    server, actual_port = start(world, port)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
    sys.stdout.write(json.dumps(ready_credentials(world, actual_port)) + "\n")
    sys.stdout.flush()
    warm = [loop.run_in_executor(None, importlib.import_module, f"ci_magics.emulator.{name}") for name in _SLOW]
    await stop.wait()
    await asyncio.gather(*warm)
    server.stop()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while sys.stdin.buffer.read(4096):
        continue
    loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
