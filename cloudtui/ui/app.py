"""The console: an app over a workbench. Events come in as one message, keys from one table."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, InvalidThemeError
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.message import Message
from textual.notifications import Notification, Notify
from textual.screen import Screen
from textual.worker import WorkerFailed

from cloudtui.core.attachment import AttachmentEnd
from cloudtui.core.events import (
    Alerted,
    CopiesChanged,
    Event,
    InventoryChanged,
    Note,
    Noted,
    PricesChanged,
    Severity,
    TunnelsChanged,
)
from cloudtui.files import installed
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.remote import Prompts
from cloudtui.ui import themes
from cloudtui.ui.actions import key_words
from cloudtui.ui.actions_leader import with_all_keys
from cloudtui.ui.collector import calm
from cloudtui.ui.console_words import in_console
from cloudtui.ui.file_views import FileViews
from cloudtui.ui.harmless import strip_controls
from cloudtui.ui.host_views import HostViews
from cloudtui.ui.key_views import KeyViews
from cloudtui.ui.machine_views import MachineViews
from cloudtui.ui.monitor_views import MonitorViews
from cloudtui.ui.network_views import NetworkViews
from cloudtui.ui.notebook_views import NotebookViews
from cloudtui.ui.pane_views import PaneViews
from cloudtui.ui.place_views import PlaceViews
from cloudtui.ui.prompts import DialogPrompts
from cloudtui.ui.run_views import RunViews
from cloudtui.ui.screens.area import Area
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.tunnel_views import TunnelViews
from cloudtui.ui.work import start_work

if TYPE_CHECKING:
    from cloudtui.core.workbench import Workbench
    from cloudtui.files.settings import Settings
    from cloudtui.ui.screens.workspace import WorkspaceScreen

SMALLEST = (60, 15)
"""Columns and rows below which only a sentence is shown."""

TOAST_LINES = 3

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


WHOLE = (InventoryChanged, PricesChanged, TunnelsChanged, CopiesChanged)
"""Events that hold, or stand for, all there is to know of their kind."""


class CoreChanged(Message):
    """One event of core, on its way to the screens."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event

    def can_replace(self, message: Message) -> bool:
        """Of states that wait to be painted only the last one counts."""
        if not isinstance(message, CoreChanged):
            return False
        return type(self.event) is type(message.event) and isinstance(self.event, WHOLE)


class CloudtuiApp(
    FileViews,
    HostViews,
    KeyViews,
    MachineViews,
    MonitorViews,
    NetworkViews,
    NotebookViews,
    PaneViews,
    PlaceViews,
    RunViews,
    TunnelViews,
    App[int],
    inherit_bindings=False,
):
    """Runs inside `async with app.workbench`; `run` below does both."""

    CSS_PATH = ["app.tcss", "screens/machines.tcss"]
    TITLE = "cloudtui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "say_quit", show=False)]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]

    def __init__(
        self,
        make_workbench: Callable[[Prompts], Workbench],
        *,
        settings: Settings,
        problems: Sequence[CloudtuiError] = (),
    ) -> None:
        super().__init__()
        strip_controls()
        self.workbench = make_workbench(DialogPrompts(self))
        self.settings = settings
        self._problems = list(problems)
        self.keys, sentences = with_all_keys(settings.keys, settings.leader)
        """The keys of every action, by action id, as this user has them."""
        self._problems += [CloudtuiError(sentence) for sentence in sentences]
        self.workspace: WorkspaceScreen | None = None
        """The screen of panes, kept from the first pane on."""
        self.handed_over = False
        """Another program has the terminal now: nothing may be written to it."""
        self._handed: asyncio.Task[AttachmentEnd] | None = None
        self._then: Callable[[], None] | None = None
        """How the app ends once the terminal that was handed over is back."""
        self._silent: list[Note] = []
        self._toasts: dict[str, float] = {}
        """What is shown in toasts now, and until when."""
        self._about: dict[str, Notification] = {}
        """The last toast about each thing that notes name."""
        self.pressed = 0.0
        """When a key of the table was pressed last, as `monotonic` tells."""
        self.last_words = ""
        """What is said on the terminal after a bug ended the app."""
        self._told_update = False
        self._end_listening: Callable[[], None] | None = None
        self._use_themes()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(themes.VARIABLES)

    def get_driver_class(self) -> type[Driver]:
        """The platform's, with exact keys where that is a terminal of Unix."""
        found = super().get_driver_class()
        if found.__name__ != "LinuxDriver":
            return found
        from cloudtui.ui.terminal import TerminalDriver

        return TerminalDriver

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        """Those seen through the one in front. Textual counts the next one below in any case:
        its clocks and spinners then paint the whole terminal, over the pane in front."""
        if self.screen.styles.background.a == 1:
            return []
        return super()._background_screens

    def get_default_screen(self) -> Screen[None]:
        return MachinesScreen()

    def on_mount(self) -> None:
        self._end_listening = self.workbench.listen(self._hear)
        self.set_keymap({action: ",".join(keys) for action, keys in self.keys.items()})
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            for number in SIGNALS:
                loop.add_signal_handler(number, self._leave_by_signal, number)
        self.workbench.inventory.recall()
        asyncio.get_running_loop().set_exception_handler(self._loop_failed)
        self.call_after_refresh(self._start)

    def on_unmount(self) -> None:
        if self._end_listening:
            self._end_listening()

    def _start(self) -> None:
        self.workbench.inventory.start()
        self.workbench.prices.start()
        self.workbench.hosts.healing.start()
        self.workbench.alerts.start()
        if self.workbench.keeps_tunnels:
            start_work(self, self.resume_tunnels, group="tunnel")
        for problem in self._problems:
            self.fail(problem)

    def _use_themes(self) -> None:
        """Register the themes of the theme folders and put on the one last used."""
        from cloudtui.files.settings import remembered_theme
        from cloudtui.files.themes import read_themes

        files, problems = read_themes()
        self._problems += [*problems, *themes.register(self, files)]
        wanted = remembered_theme() or self.settings.theme
        try:
            self.theme = wanted
        except InvalidThemeError:
            self.theme = themes.FALLBACK[0].name
            known = ", ".join(themes.names(self))
            self._problems.append(
                CloudtuiError(f"There is no theme called {wanted}.", hint=f"Known: {known}.")
            )

    def _hear(self, event: Event) -> None:
        self.post_message(CoreChanged(event))

    def on_core_changed(self, message: CoreChanged) -> None:
        event = message.event
        if not self.is_running:
            return  # the screens are being taken down
        if isinstance(event, Noted):
            self._toast(event.note)
        elif isinstance(event, Alerted):
            self.alerted(event)
        elif isinstance(event, InventoryChanged):
            self.look_for_news(event.state)
        for screen in list(self.screen_stack):
            if isinstance(screen, Area) and screen.is_mounted:
                screen.show(event)

    # Saying things

    def say(
        self,
        text: str,
        severity: Severity = Severity.INFORMATION,
        detail: str = "",
        *,
        toast: bool = True,
    ) -> None:
        """Put a sentence into the message log and, for a moment, into a toast."""
        note = Note(in_console(text, self.keys), severity, in_console(detail, self.keys))
        if not toast:
            self._silent.append(note)
        self.workbench.note(note)

    def fail(self, error: CloudtuiError, *, toast: bool = True) -> None:
        """Say a failure with its reason and next step."""
        detail = "\n".join(part for part in (error.detail, error.hint) if part)
        self.say(error.title, Severity.ERROR, detail, toast=toast)

    def _toast(self, note: Note) -> None:
        if any(note is silent for silent in self._silent):
            self._silent.remove(note)
            return
        words = "\n".join([note.text, *note.detail.splitlines()[:TOAST_LINES]])
        now = monotonic()
        if self._toasts.get(words, 0.0) > now:
            return
        seconds = 4 if note.severity is Severity.INFORMATION else 8
        shown = {text: until for text, until in self._toasts.items() if until > now}
        self._toasts = shown | {words: now + seconds}
        toast = Notification(words, "", note.severity.value, seconds, False)
        if note.about:
            if before := self._about.get(note.about):
                self._toasts.pop(before.message, None)
                before.timeout = 0
            self._about[note.about] = toast
        self.post_message(Notify(toast))

    # Going places

    def open_sessions(self, instance: Instance) -> None:
        from cloudtui.ui.screens.sessions import SessionsScreen

        self.push_screen(SessionsScreen(instance))

    def open_all_sessions(self) -> None:
        """The list of every running machine's sessions; back to it where it is open."""
        from cloudtui.ui.screens.all_sessions import AllSessionsScreen

        while len(self.screen_stack) > 1 and not isinstance(self.screen, AllSessionsScreen):
            self.pop_screen()
        if not isinstance(self.screen, AllSessionsScreen):
            self.push_screen(AllSessionsScreen())

    def open_log(self) -> None:
        from cloudtui.ui.screens.messages import MessagesScreen

        if not isinstance(self.screen, MessagesScreen):
            self.push_screen(MessagesScreen())

    def open_help(self) -> None:
        from cloudtui.ui.screens.help import HelpScreen

        if isinstance(self.screen, Area):
            self.push_screen(HelpScreen(self.screen.WHERE))

    def open_palette(self) -> None:
        from textual.command import CommandPalette

        from cloudtui.ui.palette import ActionsProvider

        self.push_screen(CommandPalette(providers=[ActionsProvider], placeholder="What to do"))

    def go_machines(self) -> None:
        for _ in self.screen_stack[1:]:
            self.pop_screen()

    def next_theme(self) -> None:
        from cloudtui.files.settings import remember_theme

        known = themes.names(self)
        place = known.index(self.theme) if self.theme in known else -1
        self.theme = known[(place + 1) % len(known)]
        remember_theme(self.theme)
        self.say(f"Theme {self.theme}")

    def take_away(self, dialog: Screen[Any]) -> None:
        """Remove a dialog whose question has lost its point, from under another screen too."""
        if dialog in self.screen_stack:
            dialog.dismiss(None)

    def action_say_quit(self) -> None:
        keys = " ".join(key_words(key) for key in self.keys["go.quit_now"])
        self.say(f"To leave cloudtui, press {keys}.")

    def on_resize(self, event: events.Resize) -> None:
        from cloudtui.ui.screens.small import SmallScreen

        columns, rows = event.size
        small = columns < SMALLEST[0] or rows < SMALLEST[1]
        if small and not any(isinstance(s, SmallScreen) for s in self.screen_stack):
            self.push_screen(SmallScreen(*SMALLEST))

    # Leaving

    def leave(self) -> None:
        """End the console; `run` closes the workbench."""
        if self.workbench.copies_running:
            start_work(self, self.leave_copies, group="leave", exclusive=True)
        else:
            self.leave_without_copies()

    def leave_without_copies(self) -> None:
        if self.workbench.own_tunnels:
            start_work(self, self.leave_tunnels, group="leave", exclusive=True)
        else:
            self.exit(0)

    def terminal_gone(self) -> None:
        """Nothing can be typed or shown any more."""
        self._leave_by_signal(signal.SIGHUP)

    def _leave_by_signal(self, number: int) -> None:
        self._end(lambda: self.exit(return_code=128 + number))

    def _end(self, how: Callable[[], None]) -> None:
        """At once, or when the terminal is back: an app that ends without it never returns."""
        if self._handed is None:
            how()
            return
        self._then = self._then or how
        self._handed.cancel()

    def outdated(self, error: Exception | None = None) -> bool:
        """Whether this version was replaced on the disk, which is said at first and with each
        failure: what is opened for the first time now may be of another one."""
        if not installed.replaced():
            return False
        if error or not self._told_update:
            self._told_update = True
            keys = " ".join(key_words(key) for key in self.keys["go.quit_now"])
            what = "What that key does needs the new one. " if error else ""
            self.say(
                f"{installed.UPDATED} {what}Leave it with {keys} and start it again.",
                Severity.WARNING,
                "What runs on machines goes on, and nothing is lost.",
            )
        return True

    def _handle_exception(self, error: Exception) -> None:
        """What a key began may fail on an update; whatever else fails ends the app."""
        if not (isinstance(error, WorkerFailed) and self.outdated(error)):
            super()._handle_exception(error)

    def _loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A keeper of core ended by a bug ends the app, with a report; the rest is for the log."""
        error = context.get("exception")
        if isinstance(error, Exception) and "task" in context:
            if self.outdated(error):
                return
            self._end(lambda: self._handle_exception(error))
        else:
            loop.default_exception_handler(context)

    def _fatal_error(self) -> None:
        """A bug: a report without local variables, and one line that says where it is."""
        error: BaseException | None = self._exception
        if isinstance(error, WorkerFailed):
            error = error.error
        if error is not None and not self.last_words:
            self.last_words = installed.RUN_AGAIN if installed.replaced() else _reported(error)
        self.bell()
        self._close_messages_no_wait()


def _reported(error: BaseException) -> str:
    from cloudtui.files.crash import write_report

    path = write_report(error)
    what = f"cloudtui stopped on a bug of its own ({type(error).__name__})."
    return f"{what} The report is in {path}"


def run(
    make_workbench: Callable[[Prompts], Workbench],
    *,
    settings: Settings,
    problems: Sequence[CloudtuiError] = (),
) -> int:
    """Open the console and return its exit code: 0, 1 after a bug, or 128 + the signal's number.

    `problems` are shown once, as toasts and in the message log.
    """
    calm()
    return asyncio.run(_run(make_workbench, settings, problems))


async def _run(
    make_workbench: Callable[[Prompts], Workbench],
    settings: Settings,
    problems: Sequence[CloudtuiError],
) -> int:
    app = CloudtuiApp(make_workbench, settings=settings, problems=problems)
    async with app.workbench:
        await app.run_async()
    if app.last_words:
        sys.stderr.write(f"{app.last_words}\n")
    return app.return_code or 0
