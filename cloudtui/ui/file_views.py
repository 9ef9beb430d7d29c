"""The ways from any list of machines to their files, and to the copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cloudtui.model.instance import Instance

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
