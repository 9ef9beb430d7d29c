"""Keeper tasks, started and ended, and calls that may never return."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")


def keep(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start a keeper; a bug that ends it goes to the loop's exception handler at once."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_tell)
    return task


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        context = {"message": f"{task.get_name()} stopped", "exception": error, "task": task}
        task.get_loop().call_exception_handler(context)


async def cancel(task: asyncio.Task[Any] | None) -> None:
    """Cancel a task and wait until it has cleaned up; a failure of its own is raised."""
    if task is None:
        return
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def aside(work: Callable[[], T]) -> T:
    """Run a call that may block for good in a thread that nobody has to wait for.

    The threads of `asyncio.to_thread` hold up the end of the program until they return.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error:
            answer.set_exception(error)
        else:
            answer.set_result(cast(T, result))

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - whoever awaits gets it
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(tell, result, failed)

    threading.Thread(target=run, name="aside", daemon=True).start()
    return await answer
