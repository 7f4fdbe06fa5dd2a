"""Several real kernels that run the same code at the same time, each in its own process."""

from __future__ import annotations

import ast
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

#: A kernel that has not answered after this many seconds hangs.
HANGING = 300

#: Code that each kernel runs before each task.
_VARIABLES = ("CI_MAGICS_WORKSPACE", "CI_MAGICS_EMULATOR", "CI_MAGICS_STORE", "JUPYTERHUB_USER", "XDG_DATA_HOME")

_TASK = """
import os
os.environ.update({environment!r})
for _name in {gone!r}:
    os.environ.pop(_name, None)
number = {number}
def _task():
{code}
import ci_magics.errors as _errors
try:
    answer = ("done", _task())
except _errors.CiError as error:
    answer = ("refused", error.code or type(error).__name__)
"""


@dataclass
class Kernels:
    """Running kernels, numbered from 0."""

    managers: list[KernelManager]
    clients: list[Any]

    def at_once(self, code: str) -> list[tuple[str, Any]]:
        """Let every kernel run a function body at the same time, with its number in ``number``.

        Returns
        -------
        list
            For each kernel ``("done", returned value)`` or ``("refused", code of the error)``. Any other error, and a
            kernel that hangs, fails the test.
        """
        asked = [self._ask(number, code) for number in range(len(self.clients))]
        return [self._answer(client, message) for client, message in zip(self.clients, asked, strict=True)]

    def begin(self, number: int, code: str) -> Callable[[], tuple[str, Any]]:
        """Let one kernel run a function body; the returned function waits for its result, see `at_once`."""
        message = self._ask(number, code)
        return lambda: self._answer(self.clients[number], message)

    def one(self, number: int, code: str) -> Any:
        """Let one kernel run a function body, and return its result."""
        done, value = self.begin(number, code)()
        assert done == "done", value
        return value

    def kill(self, number: int) -> None:
        """Kill a kernel without a chance to clean up."""
        self.managers[number].signal_kernel(signal.SIGKILL)

    def _ask(self, number: int, code: str) -> str:
        environment = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
        gone = [name for name in _VARIABLES if name not in os.environ]
        body = "\n".join(f"    {line}" for line in code.strip("\n").splitlines())
        task = _TASK.format(environment=environment, gone=gone, number=number, code=body)
        message: str = self.clients[number].execute(task, user_expressions={"answer": "answer"}, stop_on_error=False)
        return message

    def _answer(self, client: Any, message: str) -> tuple[str, Any]:
        while True:
            reply = client.get_shell_msg(timeout=HANGING)
            if reply["parent_header"].get("msg_id") == message:
                break
        content = reply["content"]
        assert content["status"] == "ok", "\n".join(content["traceback"])
        answer: tuple[str, Any] = ast.literal_eval(content["user_expressions"]["answer"]["data"]["text/plain"])
        return answer


@contextmanager
def running_kernels(count: int, folder: Path) -> Iterator[Kernels]:
    """Start kernels of this Python, and stop them."""
    spec = KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python")
    tests = str(Path(__file__).parent)
    managers = []
    clients = []
    for number in range(count):
        # Sockets in the folder, because the kernel of another test could take a free port first.
        manager = KernelManager(connection_file=str(folder / f"kernel-{number}.json"), transport="ipc")
        manager._kernel_spec = spec  # noqa: SLF001 - no kernel needs to be installed
        manager.start_kernel(env={**os.environ, "PYTHONPATH": tests}, stdout=-3, stderr=-3)
        managers.append(manager)
        clients.append(manager.blocking_client())
    try:
        for client in clients:
            client.start_channels()
            client.wait_for_ready(timeout=HANGING)
        kernels = Kernels(managers, clients)
        assert kernels.at_once("import ci_magics, contoso, pandas\nreturn number") == [
            ("done", number) for number in range(count)
        ]
        yield kernels
    finally:
        for client, manager in zip(clients, managers, strict=True):
            client.stop_channels()
            manager.shutdown_kernel(now=True)
