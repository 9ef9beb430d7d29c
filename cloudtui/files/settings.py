"""The settings: declared once, as fields; the loader, the docs and the help read them here."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudtui.files import paths, view
from cloudtui.files.yaml_file import Value, read_yaml
from cloudtui.model.errors import UsageError
from cloudtui.model.host_drift import HEAL_HOSTS


def _default_key_folders() -> tuple[Path, ...]:
    home = Path.home()
    return (home / ".ssh", home / "Downloads", home, home / ".aws")


@dataclass(frozen=True)
class Settings:
    """What `settings.yaml` may say; every field has a default."""

    theme: str = "cloudtui-dark"
    """Name of the theme: cloudtui-dark, cloudtui-light or one of your own."""
    profiles: tuple[str, ...] = ()
    """AWS profiles to show where AWS_PROFILE names none."""
    regions: tuple[str, ...] = ()
    """Regions to show where AWS_REGION names none: `all` is every enabled one; without any the
    profile's own region is shown."""
    warn_profiles: tuple[str, ...] = ()
    """Profiles shown in a warning colour, for production; `*` stands for anything: `prod*`."""
    ssh_config: Path | None = None
    """The ssh config to resolve hosts with; without one, ~/.ssh/config."""
    key_folders: tuple[Path, ...] = field(default_factory=_default_key_folders)
    """Where an instance's private key (NAME.pem) is looked for, in this order; new ones are saved
    in the first."""
    refresh_seconds: float = 30.0
    """Time between two looks at AWS."""
    leader: str = "ctrl+]"
    """The one key that a pane keeps for itself."""
    local_port: int = 8888
    """First local port tried for Jupyter."""
    open_browser: bool = True
    """Open Jupyter in the browser when its tunnel answers."""
    address_urls: tuple[str, ...] = (
        "https://checkip.amazonaws.com",
        "https://checkip.global.api.aws",
    )
    """Pages that answer with the asker's address, in the order asked, when a port is opened to you
    alone. The second also tells IPv6."""
    heal_hosts: str = "ours"
    """When an instance has a new address, write it into its entries of the ssh config: `ours` into
    those in config.d/cloudtui.conf, `always` into the user's own too, `ask` after a question,
    `never` not at all. Entries known by the instance's id follow what cloudtui itself changes."""
    on_quit: str = "ask"
    """What becomes of open tunnels when the console is left: `keep` leaves them open in the
    background, `close` closes them, `ask` asks."""
    alerts: str = "both"
    """How the terminal calls when a run ends, stalls or its loss breaks: `bell`, `desktop` (a
    notification, in terminals that show one), `both` or `none`. It is said in the console in any
    case."""
    on_alert: str = ""
    """What is done then: a command of yours (details in CLOUDTUI_TITLE, CLOUDTUI_KIND, ... and as
    JSON on its standard input), or an https:// address that the JSON is posted to."""
    read_only: bool = False
    """Refuse everything that changes something on AWS or a host."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Your own keys: the name of an action, then one or more keys (`refresh: f5,ctrl+r`)."""


class _Wrong(ValueError):
    """The value is not one of the allowed; the message may say more."""


def _word(value: Value) -> str:
    if not isinstance(value.content, str | None):
        raise _Wrong
    return value.content or ""


def _some_word(value: Value) -> str:
    word = _word(value).strip()
    if not word:
        raise _Wrong
    return word


_TYPED_AS_CTRL = ("[", "h", "i", "j", "m")
"""Letters that with Ctrl are Esc, Backspace, Tab and Enter in a terminal."""

_HELD = {"ctrl", "alt", "shift", "meta", "super", "hyper"}


def _leader(value: Value) -> str:
    word = _some_word(value)
    held, plus, key = word.lower().rpartition("+")
    if plus and not key:
        held, key = held.removesuffix("+"), "+"
    function = key[:1] == "f" and key[1:].isdigit()
    if held and not {*held.split("+")} <= _HELD:
        raise _Wrong
    if not (held or function) or held == "shift" or (held == "ctrl" and key in _TYPED_AS_CTRL):
        raise _Wrong
    return word


def _words(value: Value) -> tuple[str, ...]:
    if isinstance(value.content, dict):
        raise _Wrong
    if isinstance(value.content, tuple):
        words = value.content
    else:
        words = tuple((value.content or "").replace(",", " ").split())
    if not all(words):
        raise _Wrong
    return words


def _urls(value: Value) -> tuple[str, ...]:
    words = _words(value)
    if not all(word.startswith(("http://", "https://")) for word in words):
        raise _Wrong
    return words


def _path(text: str) -> Path:
    if "\0" in text:
        raise _Wrong
    return paths.expanded(text)


def _file(value: Value) -> Path | None:
    text = _word(value)
    return _path(text) if text else None


def _folders(value: Value) -> tuple[Path, ...]:
    if isinstance(value.content, str):
        return (_path(value.content),)
    return tuple(_path(word) for word in _words(value))


def _seconds(value: Value) -> float:
    number = float(_word(value))
    if not (math.isfinite(number) and number >= 1):
        raise _Wrong
    return number


def _port(value: Value) -> int:
    number = int(_word(value))
    if not 1 <= number <= 65535:
        raise _Wrong
    return number


_YES_OR_NO = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _yes_or_no(value: Value) -> bool:
    try:
        return _YES_OR_NO[_word(value).lower()]
    except KeyError:
        raise _Wrong from None


def _heal_hosts(value: Value) -> str:
    word = _word(value).strip().lower()
    if word not in HEAL_HOSTS:
        raise _Wrong
    return word


def _on_quit(value: Value) -> str:
    word = _word(value).strip().lower()
    if word not in ("ask", "keep", "close"):
        raise _Wrong
    return word


def _alerts(value: Value) -> str:
    word = _word(value).strip().lower()
    if word not in ("bell", "desktop", "both", "none"):
        raise _Wrong
    return word


def _hook(value: Value) -> str:
    hook = _word(value).strip()
    if hook.startswith("http://") and not hook.startswith(
        ("http://localhost:", "http://localhost/", "http://127.0.0.1:")
    ):
        raise _Wrong
    return hook


def _table(value: Value) -> dict[str, str]:
    if value.content is None:
        return {}
    if not isinstance(value.content, dict) or not all(
        key.strip() and keys.strip() for key, keys in value.content.items()
    ):
        raise _Wrong
    return value.content


_READ: dict[str, tuple[Callable[[Value], Any], str]] = {
    "theme": (_some_word, "a name"),
    "profiles": (_words, "a list of profile names"),
    "regions": (_words, "a list of region names, or all"),
    "warn_profiles": (_words, "a list of profile names"),
    "ssh_config": (_file, "a file"),
    "key_folders": (_folders, "a list of folders"),
    "refresh_seconds": (_seconds, "a number of seconds, 1 or more"),
    "leader": (_leader, "a key, such as ctrl+] or ctrl+b"),
    "local_port": (_port, "a port from 1 to 65535"),
    "open_browser": (_yes_or_no, "true or false"),
    "address_urls": (_urls, "a list of addresses that begin with http:// or https://"),
    "on_quit": (_on_quit, "ask, keep or close"),
    "heal_hosts": (_heal_hosts, "ours, always, ask or never"),
    "alerts": (_alerts, "bell, desktop, both or none"),
    "on_alert": (_hook, "a command, or an address that begins with https://"),
    "read_only": (_yes_or_no, "true or false"),
    "keys": (_table, "a table of action: keys"),
}
"""How each field is read, and what is allowed in it, in words."""


def load(path: Path | None = None) -> Settings:
    """The settings in `path`, or in `paths.settings_file()`; a missing file gives the defaults.

    Raises:
        UsageError: the file is not YAML, or a key or value in it is not allowed.
    """
    path = path or paths.settings_file()
    try:
        written = read_yaml(path)
    except FileNotFoundError:
        return Settings()
    found: dict[str, Any] = {}
    for name, value in written.items():
        if name not in _READ:
            raise UsageError(
                f"{path} line {value.line}: there is no setting {name!r}.",
                f"Settings: {', '.join(_READ)}.",
                "Correct the name, or take the line out.",
            )
        read, allowed = _READ[name]
        try:
            found[name] = read(value)
        except ValueError:
            raise UsageError(
                f"{path} line {value.line}: {name} cannot be {_quoted(value)}.",
                f"Allowed: {allowed}.",
                "Correct the value, or take the line out.",
            ) from None
    return Settings(**found)


def _quoted(value: Value) -> str:
    if isinstance(value.content, str):
        return repr(value.content[:60])
    if value.content is None:
        return "empty"
    return "a list" if isinstance(value.content, tuple) else "a table"


def describe() -> list[tuple[str, str, str, str]]:
    """Every setting as (name, allowed values in words, default as it would be written, help)."""
    helps = _field_docstrings()
    return [
        (name, _READ[name][1], _written(getattr(Settings(), name)), helps[name])
        for name in (f.name for f in dataclasses.fields(Settings))
    ]


def _field_docstrings() -> dict[str, str]:
    import ast
    import inspect
    import textwrap

    body = ast.parse(textwrap.dedent(inspect.getsource(Settings))).body[0]
    assert isinstance(body, ast.ClassDef)
    helps: dict[str, str] = {}
    name = ""
    for statement in body.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=found)):
                name = found
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                helps[name] = " ".join(text.split())
    return helps


def _written(value: object) -> str:
    home = str(Path.home())
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return f"[{', '.join(_written(item) for item in value)}]"
        case Path():
            text = str(value)
            inside = text == home or text.startswith(home + "/")
            return "~" + text[len(home) :] if inside else text
        case float():
            return f"{value:g}"
        case None | "":
            return "(none)"
        case Mapping():
            return "{}"
    return str(value)


def remembered_theme() -> str | None:
    """The theme chosen last in the console, or None."""
    words = view.recall("theme")
    return words[0] if len(words) == 1 else None


def remember_theme(name: str) -> None:
    """Keep the theme for the next start; a disk that takes no files is no failure."""
    view.remember(theme=name)
