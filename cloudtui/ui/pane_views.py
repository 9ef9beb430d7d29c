"""The ways into panes, and into the whole terminal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from textual.app import SuspendNotSupported

from cloudtui.core import full_screen
from cloudtui.core.attachment import Attachment, AttachmentEnd, OnData
from cloudtui.core.events import Severity
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.session import Ending, Session
from cloudtui.ui.screens.area import Area
from cloudtui.ui.work import start_work

if TYPE_CHECKING:
    from cloudtui.ui.screens.workspace import WorkspaceScreen

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp

NO_TERMINAL = "The full screen needs a real terminal, and there is none here."


class PaneViews:
    """Handlers of the app for sessions and shells in panes or in the whole terminal."""

    def open_session(self, instance: Instance, session: Session) -> None:
        """In a pane; where panes are off, in the whole terminal."""
        self._open_pane(instance, session)

    def open_shell(self, instance: Instance) -> None:
        self._open_pane(instance, None)

    def _open_pane(self, instance: Instance, session: Session | None) -> None:
        app = cast("CloudtuiApp", self)
        from cloudtui.ui.screens.workspace import WorkspaceScreen
        from cloudtui.ui.widgets.splits_target import Target
        from cloudtui.vt import engine

        if reason := engine.available():
            app.say(reason, Severity.WARNING)
            self.open_full_screen(instance, session)
            return
        if app.workspace is None:
            app.workspace = WorkspaceScreen()
            app.install_screen(app.workspace, "workspace")
        app.workspace.open(Target(instance, session))
        self._show_workspace(app.workspace)

    def open_workspace(self) -> None:
        """Back to the panes that are open."""
        app = cast("CloudtuiApp", self)
        if app.workspace is None or not app.workspace.tabs:
            app.say("No pane is open.", Severity.WARNING)
            return
        self._show_workspace(app.workspace)

    def _show_workspace(self, workspace: WorkspaceScreen) -> None:
        app = cast("CloudtuiApp", self)
        if workspace not in app.screen_stack:
            app.push_screen(workspace)
            return
        while app.screen is not workspace:
            app.pop_screen()

    def open_full_screen_here(self) -> None:
        """For the session under the cursor of the list in front, or a shell of its machine."""
        app = cast("CloudtuiApp", self)
        screen = app.screen
        if isinstance(screen, Area) and screen.instance:
            self.open_full_screen(screen.instance, getattr(screen, "session", None))

    def open_full_screen(self, instance: Instance, session: Session | None) -> None:
        """The whole terminal for a session, or for a shell, until it is left."""
        app = cast("CloudtuiApp", self)
        sessions = app.workbench.sessions

        async def opener(columns: int, rows: int, on_data: OnData) -> Attachment:
            if session is None:
                return await sessions.shell(instance, columns, rows, on_data)
            return await sessions.attach(instance, session, columns, rows, on_data)

        self.hand_over(opener, instance)

    def hand_over(self, opener: full_screen.Open, instance: Instance | None = None) -> None:
        """Leave the screen to what `opener` opens, and come back when it ends."""
        app = cast("CloudtuiApp", self)
        if not app.handed_over:
            start_work(app, self._hand_over, opener, instance, group="full screen")

    async def _hand_over(self, opener: full_screen.Open, instance: Instance | None) -> None:
        app = cast("CloudtuiApp", self)
        if app.is_headless:
            app.say(NO_TERMINAL, Severity.WARNING)
            return
        problem: CloudtuiError | None = None
        end: AttachmentEnd | None = None
        try:
            if instance is not None:
                # What the connection asks is asked here, where it can be answered.
                await app.workbench.connections.get(instance)
            end = await self._without_screen(opener)
        except SuspendNotSupported:
            app.say(NO_TERMINAL, Severity.WARNING)
        except CloudtuiError as error:
            problem = error
        except OSError as error:
            problem = CloudtuiError(f"The terminal cannot be handed over: {error}.")
        app.screen.refresh(layout=True)
        if problem is not None:
            app.fail(problem)
        elif end is not None and end is not full_screen.LEFT:
            lost = end.ending in (Ending.LOST, Ending.FAILED)
            app.say(end.sentence, Severity.WARNING if lost else Severity.INFORMATION)

    async def _without_screen(self, opener: full_screen.Open) -> AttachmentEnd:
        app = cast("CloudtuiApp", self)
        app.handed_over = True
        leader = full_screen.leader_byte(app.settings.leader)
        try:
            with app.batch_update(), app.suspend():
                # No exception may leave this block: the screen would stay dead.
                task = asyncio.create_task(full_screen.take_over(opener, leader))
                app._handed = task
                try:
                    await asyncio.wait({task})
                except asyncio.CancelledError:
                    task.cancel()
                    await asyncio.wait({task})
        finally:
            app.handed_over, app._handed = False, None
        if app._then is not None:
            app._then()
            return full_screen.LEFT
        return task.result()
