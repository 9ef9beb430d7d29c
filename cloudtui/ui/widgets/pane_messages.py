"""What a pane tells the screen around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.message import Message

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.session import Ending
from cloudtui.vt import engine as vt

if TYPE_CHECKING:
    from cloudtui.ui.widgets.pane import Pane
    from cloudtui.ui.widgets.pane_hands import PaneHands


class PaneMessage(Message, namespace="pane"):
    """Something about one pane."""

    def __init__(self, pane: PaneHands) -> None:
        super().__init__()
        self.pane = cast("Pane", pane)

    @property
    def control(self) -> Pane:
        return self.pane


class Opened(PaneMessage, namespace="pane"):
    """The remote answers."""


class Left(PaneMessage, namespace="pane"):
    """The person left with the leader key; the channel is closed."""


class Ended(PaneMessage, namespace="pane"):
    """The remote is gone; the last screen stays."""

    def __init__(self, pane: Pane, ending: Ending, sentence: str) -> None:
        super().__init__(pane)
        self.ending = ending
        self.sentence = sentence


class Failed(PaneMessage, namespace="pane"):
    """It could not be opened."""

    def __init__(self, pane: Pane, error: CloudtuiError) -> None:
        super().__init__(pane)
        self.error = error


class TitleChanged(PaneMessage, namespace="pane"):
    """The program named its window."""

    def __init__(self, pane: Pane, title: str) -> None:
        super().__init__(pane)
        self.title = title


class Bell(PaneMessage, namespace="pane"):
    """The program rang."""


class Told(PaneMessage, namespace="pane"):
    """The program set the clipboard, asked for a notification, told progress or its folder."""

    def __init__(self, pane: Pane, event: vt.Event) -> None:
        super().__init__(pane)
        self.event = event


class LeaderKey(PaneMessage, namespace="pane"):
    """A key after the leader that the pane has no use for itself."""

    def __init__(self, pane: Pane, key: str) -> None:
        super().__init__(pane)
        self.key = key


class PasteAsked(PaneMessage, namespace="pane"):
    """Text with newlines waits for a `y` before it goes into a program that would run it."""

    def __init__(self, pane: Pane, text: str) -> None:
        super().__init__(pane)
        self.text = text
        self.lines = len(text.splitlines())


class LinkOpened(PaneMessage, namespace="pane"):
    """The person chose an address on the screen."""

    def __init__(self, pane: PaneHands, url: str) -> None:
        super().__init__(pane)
        self.url = url


class Copied(PaneMessage, namespace="pane"):
    """A selection of the person went to the clipboard."""

    def __init__(self, pane: PaneHands, text: str) -> None:
        super().__init__(pane)
        self.text = text
