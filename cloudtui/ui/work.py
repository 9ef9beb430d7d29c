"""Work that goes on beside a screen."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from textual.dom import DOMNode
from textual.worker import Worker


def start_work(
    node: DOMNode,
    work: Callable[..., Coroutine[Any, Any, object]],
    *words: Any,
    group: str = "default",
    exclusive: bool = False,
    exit_on_error: bool = True,
) -> Worker[Any]:
    """Run `work(*words)` as a worker of the node, as `run_worker` does.

    A coroutine given to `run_worker` is never awaited when the node is gone before it began.
    """
    begin: Any = partial(work, *words)
    return node.run_worker(begin, group=group, exclusive=exclusive, exit_on_error=exit_on_error)
