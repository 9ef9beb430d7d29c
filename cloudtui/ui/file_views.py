"""The ways from any list of machines to their files, and to the copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cloudtui.model.instance import Instance
from cloudtui.model.words import plural

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp


class FileViews:
    """Handlers of the app for the actions in `actions_files`."""

    def open_files(self) -> None:
        """The two sides, for the machine under the cursor."""
        from cloudtui.ui.screens.files import FilesScreen

        app = cast("CloudtuiApp", self)
        instance: Instance | None = getattr(app.screen, "instance", None)
        if instance:
            app.push_screen(FilesScreen(instance))

    def open_copies(self) -> None:
        """The list of copies."""
        from cloudtui.ui.screens.copies import CopiesScreen

        app = cast("CloudtuiApp", self)
        if not isinstance(app.screen, CopiesScreen):
            app.push_screen(CopiesScreen())

    async def leave_copies(self) -> None:
        """Leave the console though copies are under way, if that is what is wanted."""
        from cloudtui.ui.screens.dialogs import Ask

        app = cast("CloudtuiApp", self)
        running = [state for state in app.workbench.copies.states if not state.ended]
        names = "\n".join(f"  {state.words}" for state in running[:6])
        agreed = await app.push_screen_wait(
            Ask(
                f"Stop {plural(len(running), 'copy')} and leave?",
                f"{names}\nThe same copies once more go on where they were.",
                "Stop and leave",
            )
        )
        if agreed:
            app.leave_without_copies()
