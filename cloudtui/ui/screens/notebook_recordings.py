"""What screens of notebooks can do with the recorder: switch it, and run all cells."""

from __future__ import annotations

from textual import work
from textual.content import Content

from cloudtui.core.events import Severity
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.words import plural
from cloudtui.ui.screens.area import Area
from cloudtui.ui.screens.dialogs import Ask


class NotebookRecordings(Area):
    """Handlers of the actions; `notebook` is what they are about."""

    @property
    def notebook(self) -> tuple[str, str] | None:
        """Kernel id and notebook path of what is selected."""
        return None

    def recorded(self) -> None:
        """Recording was switched on or off, or a run was begun."""

    def open_kernel_log(self) -> None:
        from cloudtui.ui.screens.kernel_log import KernelLogScreen

        instance, notebook = self.instance, self.notebook
        if instance and notebook:
            self.app.push_screen(KernelLogScreen(instance, *notebook))

    @work(group="act")
    async def toggle_recording(self) -> None:
        instance = self.instance
        if instance is None:
            return
        recordings = self.workbench.recordings
        state = recordings.state(instance.id)
        try:
            if state.recorder is None and (state := await recordings.list(instance)).error:
                raise state.error
            if state.recorder and state.recorder.running:
                await recordings.stop(instance)
                said = "is recorded no more. What was recorded stays there."
            else:
                found = await recordings.start(instance)
                if found.problem:
                    self.cloudtui.say(f"{instance.spoken}: {found.problem}", Severity.WARNING)
                said = "is recorded from now on, with or without a browser and cloudtui."
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        self.cloudtui.say(f"What notebooks print on {instance.spoken} {said}")
        self.recorded()

    @work(group="act")
    async def run_all_cells(self) -> None:
        instance, notebook = self.instance, self.notebook
        if instance is None or notebook is None:
            return
        if not notebook[1]:
            self.cloudtui.say("That kernel has no notebook.", Severity.WARNING)
            return
        if not await self.app.push_screen_wait(_question(instance, notebook[1])):
            return
        try:
            recording, cells = await self.workbench.recordings.run(instance, notebook[0])
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        self.cloudtui.say(f"{plural(cells, 'cell')} of {recording.path} run on {instance.spoken}.")
        self.recorded()


def _question(instance: Instance, path: str) -> Ask:
    body = Content.assemble(
        ("notebook  ", "$foreground-muted"),
        (f"{path}\n", "bold"),
        ("host      ", "$foreground-muted"),
        (f"{instance.label}\n\n", "bold"),
        "Every cell with code is run in its kernel, one after another, until one fails. That goes "
        "on there without cloudtui or a browser. The outputs replace those in the notebook's file.",
    )
    return Ask(f"Run all cells of {path} on {instance.spoken}?", body, "Run them", "y")
