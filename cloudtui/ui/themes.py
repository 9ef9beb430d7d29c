"""Themes from YAML: every colour is parsed before Textual sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields

from rich.style import Style
from textual.app import App
from textual.color import Color, ColorParseError
from textual.theme import Theme

from cloudtui.model.errors import UsageError
from cloudtui.model.theme import COLOURS, SHARES

VARIABLES: Mapping[str, str] = {
    "state-running": "#86d993",
    "state-changing": "#e8b964",
    "state-stopped": "#9aa7b5",
    "state-terminated": "#d98a8f",
    "spot": "#bda7f5",
}
"""The app's own variables, with the values that a dark theme gets which does not set them."""

LIGHT_VARIABLES: Mapping[str, str] = {
    "state-running": "#1a6b33",
    "state-changing": "#7d5200",
    "state-stopped": "#4f5f6e",
    "state-terminated": "#97404a",
    "spot": "#5f45b0",
}

FALLBACK = (
    Theme(
        name="cloudtui-dark",
        primary="#4fd6c6",
        warning="#e8b964",
        error="#ff8a85",
        success="#86d993",
        foreground="#d7dee8",
        background="#0e1318",
        surface="#141b22",
        panel="#1a232c",
        dark=True,
        variables={
            **VARIABLES,
            "foreground-muted": "#93a1b0",
            "block-cursor-background": "#1d3a40",
            "block-cursor-blurred-background": "#1c2731",
            "block-hover-background": "#18212a",
            "border-blurred": "#2a3642",
        },
    ),
    Theme(
        name="cloudtui-light",
        primary="#0a6b63",
        warning="#7d5200",
        error="#b0262f",
        success="#1a6b33",
        foreground="#1e2933",
        background="#fafbfc",
        surface="#f1f4f6",
        panel="#e7ecf0",
        dark=False,
        variables={
            **LIGHT_VARIABLES,
            "foreground-muted": "#52616f",
            "block-cursor-background": "#d0eae6",
            "block-cursor-blurred-background": "#e2e9ed",
            "block-hover-background": "#edf1f4",
            "border-blurred": "#c9d3db",
        },
    ),
)
"""Plain copies of the shipped pair, for an installation whose theme files are gone."""

_FIELDS = {field.name for field in fields(Theme)}
_SWITCHES = ("dark", "ansi")


def theme_from(data: Mapping[str, object]) -> Theme:
    """A Textual theme from one file's keys, which are the fields of `Theme`.

    Raises:
        UsageError: a key nobody knows, a value of the wrong kind, or a colour that is none.
    """
    name = str(data.get("name") or "")
    if not name:
        raise UsageError("A theme has no name.", hint="Add a line such as `name: my-theme`.")
    unknown = sorted(set(data) - _FIELDS)
    if unknown:
        raise UsageError(
            f"The theme {name} has a key that is not known: {unknown[0]}.",
            hint=f"Known keys: {', '.join(sorted(_FIELDS))}.",
        )
    if not data.get("primary"):
        raise UsageError(f"The theme {name} has no colour `primary`.")
    for key in COLOURS:
        if data.get(key) is not None:
            _check_colour(name, key, data[key])
    for key in SHARES:
        if key in data and not isinstance(data[key], (int, float)):
            raise UsageError(f"In the theme {name}, {key} is not a number: {data[key]!r}.")
    for key in _SWITCHES:
        if key in data and not isinstance(data[key], bool):
            raise UsageError(f"In the theme {name}, {key} is not true or false: {data[key]!r}.")
    variables = data.get("variables") or {}
    if not isinstance(variables, Mapping):
        raise UsageError(f"In the theme {name}, variables is not a list of names and values.")
    own = LIGHT_VARIABLES if data.get("dark") is False else VARIABLES
    merged = dict(own)
    for key, value in variables.items():
        if key in own:
            _check_colour(name, f"variables.{key}", value)
        merged[str(key)] = str(value)
    values = {k: v for k, v in data.items() if k != "variables"}
    return Theme(**values, variables=merged)  # type: ignore[arg-type]


def _check_colour(theme: str, key: str, value: object) -> None:
    try:
        Color.parse(str(value))
    except ColorParseError:
        raise UsageError(
            f"In the theme {theme}, {key} is not a colour: {value!r}.",
            hint="Write it as '#rrggbb', in quotes.",
        ) from None


def register(app: App[int], files: Iterable[Mapping[str, object]]) -> list[UsageError]:
    """Register the shipped pair and the themes of `files`; returns one failure a bad theme."""
    problems: list[UsageError] = []
    for theme in FALLBACK:
        app.register_theme(theme)
    for data in files:
        try:
            app.register_theme(theme_from(data))
        except UsageError as error:
            problems.append(error)
    return problems


def names(app: App[int]) -> list[str]:
    """The themes that `T` goes through: the shipped pair first, then the user's own."""
    from textual.theme import BUILTIN_THEMES

    own = [name for name in app.available_themes if name not in BUILTIN_THEMES]
    shipped = [theme.name for theme in FALLBACK]
    return shipped + sorted(name for name in own if name not in shipped)


def cell_style(variables: Mapping[str, str], name: str) -> Style:
    """A theme variable as a Rich style for table cells, laid over the background if translucent."""
    background = Color.parse(variables["background"])
    return Style.from_color((background + Color.parse(variables[name])).rich_color)
