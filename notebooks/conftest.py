"""Run the notebooks as tests: each in its own workspace, and no cell may fail unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile

_PRIVATE = ("CI_MAGICS_WORKSPACE", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Give the kernel of a notebook its own folders, and only the emulator that it starts."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        folder = item.config._tmp_path_factory.mktemp("notebook")  # noqa: SLF001 - pytest has no other way in a hook
        for name in _PRIVATE:
            patch.setenv(name, str(folder / name.lower()))
        patch.delenv("CI_MAGICS_EMULATOR", raising=False)
        result = yield
        _remember_replies(item.parent.kernel)
        return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a cell whose reply is an unexpected error, or that did not fail as expected."""
    result = yield
    if isinstance(item, IPyNbCell) and isinstance(item.parent, IPyNbFile):
        status = item.parent.kernel.last_status
        expected = "error" if item.options["check_exception"] else "ok"
        if status != expected:
            pytest.fail(f"the cell ended with {status}, not with {expected}")
    return result


def _remember_replies(kernel: RunningKernel) -> None:
    """Record the status of each reply, because the output does not show a magic's usage error."""
    if hasattr(kernel, "last_status"):
        return
    get_message = kernel.get_message
    kernel.last_status = ""

    def remembering(stream: str, timeout: float | None = None) -> Any:
        message = get_message(stream, timeout)
        if message["msg_type"] == "execute_reply":
            kernel.last_status = message["content"]["status"]
        return message

    kernel.get_message = remembering
