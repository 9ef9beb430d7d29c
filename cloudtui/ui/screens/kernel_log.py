"""What a kernel printed, cell by cell, and what it prints now: from the host's recording."""

from __future__ import annotations

from typing import Any

from textual import work
from textual.content import Content
from textual.widgets import Static

from cloudtui.core.events import Event, RecordingsChanged
from cloudtui.model.errors import CloudtuiError, NotFound
from cloudtui.model.instance import Instance
from cloudtui.model.recording import NotebookRun, parse_run
from cloudtui.model.transcript import Words
from cloudtui.model.words import data_size, plural
from cloudtui.ui.actions import Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.log_area import LogArea
from cloudtui.ui.screens.notebook_recordings import NotebookRecordings
from cloudtui.ui.widgets.face import Face

TAIL = 2 << 20
"""Bytes from the end of the recording that are read at first."""
AGAIN_SECONDS = 2.0
"""Between looks whether a kernel that was not recorded is now."""


class KernelLogScreen(LogArea, NotebookRecordings):
    """At the end it follows; over cut connections too."""

    WHERE = Where.KERNEL_LOG
    BINDINGS = bindings(Where.KERNEL_LOG)

    def __init__(self, instance: Instance, kernel: str, path: str) -> None:
        super().__init__()
        self._instance, self._kernel, self._path = instance, kernel, path
        self._words = Words()
        self._run: NotebookRun | None = None
        self._waits_for_records = False

    def on_mount(self) -> None:
        self.query_one(Face).work(f"Reading what {self._spoken} printed …   Esc goes back")
        self.set_interval(AGAIN_SECONDS, self._look_again)
        self._follow()

    @property
    def instance(self) -> Instance:
        return self._instance

    @property
    def notebook(self) -> tuple[str, str]:
        return self._kernel, self._path

    @property
    def _spoken(self) -> str:
        return self._path or self._kernel[:8]

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, RecordingsChanged) and event.state.instance_id == self._instance.id:
            self.title_now()

    def title_now(self) -> None:
        if not self.is_attached:
            return
        view, words = self.view, self._words
        told = []
        if view.hits:
            told.append(f"{view.hit + 1} of {len(view.hits)} found")
        if self._trouble:
            told.append(self._trouble)
        elif self._got_any and not words.ended:
            told.append("following" if view.following else "G follows")
        if self._left_out:
            told.append(f"{data_size(self._left_out)} left out")
        recorder = self.workbench.recordings.state(self._instance.id).recorder
        if recorder and not recorder.running:
            told.append("not recorded now: R records")
        state = "ended" if words.ended else "busy" if words.busy else "idle"
        colour = "$state-running" if words.busy else "$foreground-muted"
        self.query_one("#title", Static).update(
            Content.assemble(
                (f"{self._spoken} on {self._instance.spoken}", "bold"),
                "   ",
                (f"{'●' if words.busy else '○'} {state}" if self._got_any else "", colour),
                ("   " + "   ".join(part for part in told if part), "$foreground-muted"),
            )
        )
        doing, problem = self.query_one("#doing", Static), recorder.problem if recorder else ""
        line = Content(problem or (f"Run of all cells: {self._run.words}" if self._run else ""))
        doing.display = bool(line.plain)
        failed = bool(problem) or (self._run is not None and self._run.state in ("failed", "lost"))
        doing.update(line.stylize("bold $error") if failed else line)

    # What comes

    @work(group="follow", exclusive=True)
    async def _follow(self) -> None:
        self._waits_for_records = False
        try:
            await self.workbench.recordings.log(
                self._instance,
                self._kernel,
                self._take_record,
                tail=TAIL,
                follow=True,
                on_cut=self._in_trouble,
            )
        except NotFound as error:
            self._waits_for_records = True
            self._say_nothing(error)
        except CloudtuiError as error:
            self._trouble = error.title
            if not self._got_any:
                keys = [("Ctrl-r", "try again now"), ("Esc", "go back")]
                self.query_one(Face).fail(error, keys)
        self.title_now()

    def _take_record(self, record: dict[str, Any]) -> None:
        if record["kind"] == "run":
            self._run = parse_run(record)
            self.title_now()
            return
        before = (self._words.busy, self._words.ended)
        if text := self._words.say(record):
            self.take(text.encode("utf-8", "replace"))
        if before != (self._words.busy, self._words.ended):
            self.title_now()

    def _in_trouble(self, error: CloudtuiError | None) -> None:
        self._trouble = f"{error.title} It goes on by itself." if error else ""
        self.title_now()

    def empty(self) -> None:
        self._say_nothing(None)

    def _say_nothing(self, error: CloudtuiError | None) -> None:
        recorder = self.workbench.recordings.state(self._instance.id).recorder
        keys = [("Esc", "go back")]
        if recorder is None or not recorder.running:
            keys.insert(0, ("R", "record from now on"))
        self.query_one(Face).say(
            f"Nothing that {self._spoken} printed was recorded{' yet' if error is None else ''}.",
            "What it prints is shown here as it comes, once notebooks are recorded there.",
            keys,
        )

    def _look_again(self) -> None:
        """A kernel that was not recorded may be now."""
        if self._waits_for_records:
            recorder = self.workbench.recordings.state(self._instance.id).recorder
            if recorder and recorder.running:
                self._follow()

    def recorded(self) -> None:
        self.title_now()
        self._look_again()

    def refresh_now(self) -> None:
        """Read it anew."""
        self.start_anew()
        self._words, self._run = Words(), None
        self._follow()

    def copy(self) -> None:
        """Put the lines that are here on the clipboard."""
        count = self.copy_lines()
        self.cloudtui.say(
            f"Copied {plural(count, 'line')}. All of it: cloudtui kernels log "
            f"{self._instance.spoken} {self._spoken}"
        )
