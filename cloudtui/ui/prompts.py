"""The questions of a connection, asked in dialogs one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from textual.screen import ModalScreen

from cloudtui.model.remote import HostKey

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp

Answer = TypeVar("Answer")


class DialogPrompts:
    """Implements `model.remote.Prompts`; may be called from any task of the app's loop."""

    def __init__(self, app: CloudtuiApp) -> None:
        self._app = app
        self._one_at_a_time = asyncio.Lock()

    async def trust_host_key(self, key: HostKey) -> bool:
        from cloudtui.ui.screens.dialogs import first_contact

        trusted = await self._ask(lambda: first_contact(key))
        return trusted is True

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        from cloudtui.ui.screens.dialogs import Answers

        note = "That was not the passphrase. " if again else ""
        answers = await self._ask(
            lambda: Answers(
                f"Passphrase of {_short(key_file)}",
                [("", False)],
                f"{note}It is used for this connection and not kept.",
            )
        )
        return answers[0] if answers else None

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        from cloudtui.ui.screens.dialogs import Answers

        return await self._ask(lambda: Answers(title or "The host asks", prompts))

    async def _ask(self, make: Callable[[], ModalScreen[Answer]]) -> Answer | None:
        async with self._one_at_a_time:
            answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

            def answered(value: Answer | None) -> None:
                if not answer.done():
                    answer.set_result(value)

            dialog = make()
            self._app.call_later(self._app.push_screen, dialog, answered)
            try:
                return await answer
            finally:
                if not answer.done() or answer.cancelled():
                    self._app.call_later(self._app.take_away, dialog)


def _short(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
