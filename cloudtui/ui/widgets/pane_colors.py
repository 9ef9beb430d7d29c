"""The colours of a pane: the program's sixteen and its defaults follow the theme."""

from __future__ import annotations

from collections.abc import Mapping

from rich.color import Color as RichColor
from rich.color_triplet import ColorTriplet
from rich.style import Style as RichStyle
from textual.color import Color, ColorParseError

from cloudtui.vt.engine import Color as CellColor
from cloudtui.vt.engine import Style

RGB = tuple[int, int, int]

NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")

_DARK = """
    #2a2f38 #e06c75 #98c379 #e5c07b #61afef #c678dd #56b6c2 #c8ccd4
    #6b7380 #ff8a93 #b5e08f #ffd98c #8ac6ff #df9bf2 #7fd6e0 #ffffff
"""
_LIGHT = """
    #24292f #b3202c #1a7f37 #8a5a00 #0550ae #8250df #0b7285 #6e7781
    #57606a #cf222e #116329 #6f4a00 #0969da #a475f9 #1b7c83 #a0a8b0
"""


def _rgb(text: str) -> RGB:
    return Color.parse(text).rgb


def _eight_bit() -> list[RGB]:
    """The fixed part of the 256 colours: index 16 to 255."""
    steps = (0, 95, 135, 175, 215, 255)
    cube = [(r, g, b) for r in steps for g in steps for b in steps]
    return cube + [(8 + 10 * i,) * 3 for i in range(24)]


class PaneColors:
    """Colours for one theme: `foreground`, `background` and the first 16 of the `palette`."""

    def __init__(
        self, variables: Mapping[str, str], foreground: RGB, background: RGB, dark: bool
    ) -> None:
        def pick(name: str, default: RGB) -> RGB:
            try:
                return _rgb(variables[f"ansi-{name}"])
            except (KeyError, ColorParseError):
                return default

        names = [*NAMES, *(f"bright-{name}" for name in NAMES)]
        defaults = (_DARK if dark else _LIGHT).split()
        self._given = variables, foreground, background, dark
        self.reversed = False
        self.dark = dark
        self.foreground = foreground
        self.background = background
        self.palette = [
            pick(name, _rgb(default)) for name, default in zip(names, defaults, strict=True)
        ]
        self._all = [self._rich(color) for color in (*self.palette, *_eight_bit())]
        self._styles: dict[Style, RichStyle] = {}
        self.plain = self.style(Style())
        self.cursor = RichStyle(
            color=self._rich(self.background), bgcolor=self._rich(self.foreground)
        )
        faded = Color(*self.background).blend(Color(*self.foreground), 0.3).rgb
        self.cursor_away = RichStyle(color=self._rich(self.foreground), bgcolor=self._rich(faded))

        selected = Color(*self.background).blend(Color(*self.foreground), 0.4).rgb
        ink = self._rich(min(self.background, self.foreground, key=sum))
        self.marks = {
            "selected": RichStyle(bgcolor=self._rich(selected)),
            "match": RichStyle(color=ink, bgcolor=self._all[3]),
            "here": RichStyle(color=ink, bgcolor=self._all[10], bold=True),
            "link": RichStyle(underline=True, color=self._all[12]),
        }

    def swapped(self) -> PaneColors:
        """The same with the two defaults the other way around."""
        variables, foreground, background, dark = self._given
        found = PaneColors(variables, background, foreground, dark)
        found.reversed = True
        return found

    def style(self, style: Style) -> RichStyle:
        """The style to draw with, both colours set."""
        found = self._styles.get(style)
        if found is None:
            if len(self._styles) > 20_000:
                self._styles.clear()
            found = self._styles[style] = self._make(style)
        return found

    def _make(self, style: Style) -> RichStyle:
        foreground = self._color(style.fg, self.foreground)
        background = self._color(style.bg, self.background)
        if style.reverse:
            foreground, background = background, foreground
        return RichStyle(
            color=background if style.conceal else foreground,
            bgcolor=background,
            bold=style.bold or None,
            dim=style.dim or None,
            italic=style.italic or None,
            underline=(style.underline not in (0, 2)) or None,
            underline2=(style.underline == 2) or None,
            strike=style.strike or None,
            blink=style.blink or None,
            overline=style.overline or None,
        )

    def _color(self, color: CellColor, default: RGB) -> RichColor:
        if isinstance(color, int):
            return self._all[color & 0xFF]
        return self._rich(default if color is None else color)

    @staticmethod
    def _rich(color: RGB) -> RichColor:
        return RichColor.from_triplet(ColorTriplet(*color))
