"""YAML files of the shape cloudtui uses: keys with a word, a list of words or a table of words.

Values stay the text that was written (`yes`, `0x10`, `2001-99-99`): whoever wants a number or
a yes reads it as such, and no value can surprise YAML's own constructors. Each keeps its line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cloudtui.model.errors import UsageError

if TYPE_CHECKING:
    import yaml


@dataclass(frozen=True, slots=True)
class Value:
    """What stands after a key; `None` for nothing (empty, `null` or `~`)."""

    content: str | tuple[str, ...] | dict[str, str] | None
    line: int


def read_yaml(path: Path) -> dict[str, Value]:
    """The keys of a file with their values; an empty file has none.

    Raises:
        FileNotFoundError: there is no such file.
        UsageError: it cannot be read, is not YAML, or has another shape.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UsageError(
            f"Cannot read {path}: {error.strerror}.", "", f"Check it with: ls -l {path}"
        ) from error
    return _parse(path, data)


def _parse(path: Path, data: bytes) -> dict[str, Value]:
    import yaml

    try:
        root = yaml.compose(data, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" line {mark.line + 1}" if mark else ""
        _refuse(path, f"{path}{where} is not YAML: {error.problem}.")
    except (yaml.YAMLError, UnicodeDecodeError):
        _refuse(path, f"{path} is not YAML: it holds bytes that are no text.")
    except RecursionError:
        _refuse(path, f"{path} is nested too deep.")
    if root is None or (isinstance(root, yaml.ScalarNode) and _text(root) is None):
        return {}
    if not isinstance(root, yaml.MappingNode):
        _refuse(path, f"{path} holds no settings: its first line is no `name: value`.")
    values: dict[str, Value] = {}
    for key, node in root.value:
        name, line = _word(path, key), key.start_mark.line + 1
        if name in values:
            _refuse(path, f"{path} line {line}: {name} stands there twice.")
        values[name] = Value(_content(path, node), line)
    return values


def _content(path: Path, node: yaml.Node) -> str | tuple[str, ...] | dict[str, str] | None:
    import yaml

    if isinstance(node, yaml.SequenceNode):
        return tuple(_word(path, item) for item in node.value)
    if isinstance(node, yaml.MappingNode):
        return {_word(path, key): _word(path, value) for key, value in node.value}
    return _text(node)


def _word(path: Path, node: yaml.Node) -> str:
    import yaml

    if not isinstance(node, yaml.ScalarNode):
        _refuse(path, f"{path} line {node.start_mark.line + 1}: a single word belongs here.")
    return _text(node) or ""


def _text(node: yaml.Node) -> str | None:
    nothing = node.tag == "tag:yaml.org,2002:null"
    return None if nothing else str(node.value)


def _refuse(path: Path, title: str) -> NoReturn:
    raise UsageError(title, "", f"Correct {path}, or move it away to go on without it.")
