"""What every screen of the console has: header, footer, and keys from the table of actions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Input

from cloudtui.core.events import Event, InventoryChanged, Severity
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.ui.actions import BY_ID, Action, Where, at, key_words
from cloudtui.ui.widgets.frame import Footer, FooterKey, Header

SETTLING = 4
"""Turns of the loop in which a worker that a key began can put its question in front."""

if TYPE_CHECKING:
    from cloudtui.core.workbench import Workbench
    from cloudtui.ui.app import CloudtuiApp


def bindings(where: Where) -> list[BindingType]:
    """The key bindings of a screen; the ids are the actions' own, for the user's keymap."""
    return [
        Binding(
            ",".join(action.keys),
            f"press({action.id!r})",
            action.words,
            id=action.id,
            show=False,
            priority=action.at_once,
        )
        for action in at(where)
    ]


class Area(Screen[None]):
    """A full screen. Its handlers are the methods that the table of actions names."""

    WHERE: ClassVar[Where]
    LEFT_OUT: ClassVar[tuple[str, ...]] = ("go.quit",)
    """Actions that the footer does not mention here."""

    @property
    def cloudtui(self) -> CloudtuiApp:
        return cast("CloudtuiApp", self.app)

    @property
    def workbench(self) -> Workbench:
        return self.cloudtui.workbench

    @property
    def instance(self) -> Instance | None:
        """The machine that actions are about, as it is at this moment."""
        return None

    def why_not(self, action: Action) -> str:
        """Why an action cannot be done now, in one sentence; empty when it can."""
        return self.workbench.why_not(action.rule, self.instance) if action.rule else ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that act at once are letters to a field that is being typed into."""
        at_once = action == "press" and BY_ID[str(parameters[0])].at_once
        return not (at_once and isinstance(self.focused, Input))

    async def action_press(self, action_id: str) -> None:
        """A key of the table. One that comes while the key before it opens a screen is dropped:
        it was meant for what was in front."""
        if self.app.screen is not self:
            return
        self.cloudtui.pressed = monotonic()
        self.action_do(action_id)
        for _ in range(SETTLING):
            await asyncio.sleep(0)

    def action_do(self, action_id: str) -> None:
        """Do an action of the table, or say why it cannot be done."""
        action = BY_ID[action_id]
        if reason := self.why_not(action):
            self.cloudtui.say(reason, Severity.WARNING)
            return
        handler = getattr(self, action.handler, None) or getattr(self.cloudtui, action.handler)
        self.cloudtui.outdated()
        try:
            handler()
        except Exception as error:
            if not self.cloudtui.outdated(error):
                raise

    async def went_well(self, work: Awaitable[object]) -> bool:
        """Wait for it; a failure is said, and False."""
        try:
            await work
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return False
        return True

    def show(self, event: Event) -> None:
        """Take in one event of core."""
        if isinstance(event, InventoryChanged):
            for header in self.query(Header):
                header.state = event.state
            self.refresh_footer()

    def refresh_footer(self) -> None:
        for footer in self.query(Footer):
            footer.refresh()

    def footer_keys(self) -> list[FooterKey]:
        """The entries of the footer, as things are now."""
        keys = self.cloudtui.keys
        return [
            FooterKey(
                action.id, key_words(keys[action.id][0]), action.words, bool(self.why_not(action))
            )
            for action in at(self.WHERE)
            if action.footer and action.id not in self.LEFT_OUT
        ]

    def back(self) -> None:
        """One step back; the first screen has nowhere to go."""
        if len(self.app.screen_stack) > 1:
            self.dismiss()

    def back_or_quit(self) -> None:
        self.back()

    def open_sessions(self) -> None:
        if self.instance:
            self.cloudtui.open_sessions(self.instance)

    def go_machines(self) -> None:
        self.cloudtui.go_machines()

    def open_shell(self) -> None:
        if self.instance:
            self.cloudtui.open_shell(self.instance)

    def open_jupyter(self) -> None:
        if self.instance:
            self.cloudtui.open_jupyter(self.instance)


class Scrolled(Area):
    """An area of text: the keys that move between rows elsewhere scroll it."""

    def row_down(self) -> None:
        self.query_one(VerticalScroll).scroll_down(animate=False)

    def row_up(self) -> None:
        self.query_one(VerticalScroll).scroll_up(animate=False)

    def page_down(self) -> None:
        self.query_one(VerticalScroll).scroll_page_down(animate=False)

    def page_up(self) -> None:
        self.query_one(VerticalScroll).scroll_page_up(animate=False)

    def first_row(self) -> None:
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def last_row(self) -> None:
        self.query_one(VerticalScroll).scroll_end(animate=False)
