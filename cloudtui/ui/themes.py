"""Themes from YAML: every colour is parsed before Textual sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields

from textual.app import App
from textual.color import Color, ColorParseError
from textual.theme import Theme

from cloudtui.model.errors import UsageError

VARIABLES: Mapping[str, str] = {
    "accent-line": "#5fb3d9",
    "quiet": "#8b95a3",
    "rule": "#2a313b",
    "row-cursor": "#233243",
    "row-cursor-blurred": "#1d2631",
    "row-hover": "#1a212a",
    "dialog": "#1b222b",
    "key": "#8fc7e6",
    "state-running": "#7fc98b",
    "state-changing": "#e0b96b",
    "state-stopped": "#8b95a3",
    "state-terminated": "#c97b7b",
    "spot": "#c7a0e0",
}
"""The app's own variables, with the values a theme gets that does not set them."""

LIGHT_VARIABLES: Mapping[str, str] = {
    "accent-line": "#1f6f9c",
    "quiet": "#5b6672",
    "rule": "#d3d9df",
    "row-cursor": "#d5e6f2",
    "row-cursor-blurred": "#e3ebf1",
    "row-hover": "#edf2f6",
    "dialog": "#ffffff",
    "key": "#1f6f9c",
    "state-running": "#1d7a3a",
    "state-changing": "#8a5a00",
    "state-stopped": "#5b6672",
    "state-terminated": "#a33a3a",
    "spot": "#7a3fa0",
}

FALLBACK = (
    Theme(
        name="cloudtui-dark",
        primary="#5fb3d9",
        secondary="#8fc7e6",
        accent="#5fb3d9",
        warning="#e0b96b",
        error="#e07f7f",
        success="#7fc98b",
        foreground="#d7dde4",
        background="#12171d",
        surface="#12171d",
        panel="#1b222b",
        dark=True,
        variables=dict(VARIABLES),
    ),
    Theme(
        name="cloudtui-light",
        primary="#1f6f9c",
        secondary="#1f6f9c",
        accent="#1f6f9c",
        warning="#8a5a00",
        error="#a33a3a",
        success="#1d7a3a",
        foreground="#1d242b",
        background="#fafbfc",
        surface="#fafbfc",
        panel="#eef1f4",
        dark=False,
        variables=dict(LIGHT_VARIABLES),
    ),
)
"""The shipped pair, for an installation whose theme files are gone or unreadable."""

_FIELDS = {field.name for field in fields(Theme)}
_COLOURS = (
    "primary",
    "secondary",
    "warning",
    "error",
    "success",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "boost",
)
_NUMBERS = ("luminosity_spread", "text_alpha")
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
    for key in _COLOURS:
        if data.get(key) is not None:
            _check_colour(name, key, data[key])
    for key in _NUMBERS:
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
