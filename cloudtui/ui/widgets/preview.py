"""What the selected session shows now, drawn without attaching."""

from __future__ import annotations

from rich.ansi import AnsiDecoder
from rich.cells import cell_len
from rich.color import Color as RichColor
from rich.color import ColorType
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from cloudtui.model.preview import Preview
from cloudtui.model.training import Training, parts, read, sparkline
from cloudtui.ui.widgets.pane_colors import PaneColors

SPARKS_SHOWN = 16
"""Losses in the small curve."""
KEPT = 64
"""Previews kept, so that coming back to a session shows something at once."""


class _Picture(Widget):
    """The last lines that fit, found when it is drawn: only then its size is known."""

    def __init__(self) -> None:
        super().__init__(id="picture")
        self.set_reactive(_Picture.auto_links, False)
        self._lines: list[Text] = []
        self._whole = False

    def show(self, lines: list[Text], *, whole: bool = False) -> None:
        """`whole` lines are broken between any two letters, as a terminal does."""
        self._lines, self._whole = lines, whole
        self.refresh()

    def render(self) -> Text:
        height = max(1, self.content_size.height)
        shown = self._lines[-height:]
        if self._whole:
            shown = [part for line in shown for part in folded(line, self.content_size.width)]
        return Text("\n", no_wrap=True, end="").join(shown[-height:])


def folded(line: Text, width: int) -> list[Text]:
    """The line in pieces of at most `width` cells."""
    if width < 2 or line.cell_len <= width:
        return [line]
    at: list[int] = []
    cells = 0
    for place, character in enumerate(line.plain):
        cells += cell_len(character)
        if cells > width:
            at.append(place)
            cells = cell_len(character)
    return list(line.divide(at))


class PreviewPanel(Vertical):
    """A title and the last lines that fit; nothing here takes the focus or a key."""

    DEFAULT_CSS = """
    PreviewPanel { height: 50%; background: $surface; }
    PreviewPanel > #about {
        height: 1; padding: 0 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis;
    }
    PreviewPanel > #doing {
        height: 1; padding: 0 1; color: $accent; text-wrap: nowrap; text-overflow: ellipsis;
    }
    PreviewPanel > #picture { height: 1fr; padding: 0 1; text-wrap: nowrap; }
    """

    def __init__(self) -> None:
        super().__init__(id="preview")
        self._kept: dict[str, Preview] = {}
        self._shown: Preview | None = None
        self.words = ""
        """What is said instead of a picture, or nothing."""

    def compose(self) -> ComposeResult:
        yield Static(id="about", markup=False)
        yield Static(id="doing", markup=False)
        yield _Picture()

    def on_mount(self) -> None:
        self._tell(Training())

    def title(self, name: str, about: str) -> None:
        """The line above: the session's name and where it is."""
        line = Content.assemble((name, "bold"), f"  {about}" if name else about)
        self.query_one("#about", Static).update(line)

    def say(self, words: str) -> None:
        """A sentence instead of a picture."""
        self._shown = None
        self._tell(Training())
        if words != self.words:
            self.words = words
            muted = Color.parse(self.app.theme_variables.get("foreground-muted", "#808080"))
            style = Style(color=muted.rich_color)
            self.query_one(_Picture).show([Text(line, style) for line in words.splitlines()])

    def keep(self, key: str, preview: Preview) -> None:
        """Remember what the session of that key showed."""
        self._kept.pop(key, None)
        self._kept[key] = preview
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    def kept(self, key: str) -> Preview | None:
        return self._kept.get(key)

    def draw(self, preview: Preview, colors: PaneColors) -> None:
        """The last lines that fit; a picture that is drawn already is left alone."""
        if self._shown == preview and not self.words:
            return
        self._shown, self.words = preview, ""
        self._tell(read("\n".join(preview.lines)))
        self.query_one(_Picture).show(
            [themed(line, colors) for line in decoded(preview)], whole=True
        )

    def _tell(self, training: Training) -> None:
        """What a training run in it is doing; no line when it shows none."""
        doing, told = self.query_one("#doing", Static), parts(training)
        doing.display = training.loss is not None and bool(told)
        line = Content("   ").join([Content(part) for part in told])
        if training.broken:
            line = Content.styled(line.plain, "bold $error")
        elif len(training.losses) > 2:
            line = Content.assemble(sparkline(training.losses, SPARKS_SHOWN), "  ", line)
        doing.update(line)

    def repaint(self) -> None:
        """Draw anew next time, whatever is there."""
        self._shown = None


def decoded(preview: Preview) -> list[Text]:
    """The lines with their colours; a colour lasts until the next, over the ends of lines."""
    decoder = AnsiDecoder()
    return [decoder.decode_line(line) for line in preview.lines]


def themed(line: Text, colors: PaneColors) -> Text:
    """The line with the theme's sixteen colours in place of the terminal's."""

    def themed(color: RichColor | None) -> RichColor | None:
        if color is None or color.type is not ColorType.STANDARD or color.number is None:
            return color
        return RichColor.from_rgb(*colors.palette[color.number])

    made = Text(line.plain, no_wrap=True, end="")
    for start, end, style in line.spans:
        known = style if isinstance(style, Style) else Style.parse(style)
        drawn = Style(
            color=themed(known.color),
            bgcolor=themed(known.bgcolor),
            bold=known.bold,
            dim=known.dim,
            italic=known.italic,
            underline=known.underline,
            strike=known.strike,
            reverse=known.reverse,
        )
        made.stylize(drawn, start, end)
    return made
