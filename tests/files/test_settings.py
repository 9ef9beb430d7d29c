"""Settings: what is allowed, what is refused with file, line and cure, and nothing else ever."""

from __future__ import annotations

import dataclasses
import stat
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.files import paths, settings
from cloudtui.files.settings import Settings, describe, load
from cloudtui.model.errors import UsageError


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return path


def test_no_file_gives_the_defaults(cut_off: Path) -> None:
    assert load() == Settings()
    assert load().key_folders[0] == cut_off / ".ssh"


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "~\n", "null"])
def test_an_empty_file_gives_the_defaults(tmp_path: Path, text: str) -> None:
    assert load(_written(tmp_path, text)) == Settings()


def test_every_setting_is_read(cut_off: Path) -> None:
    paths.config_dir().mkdir(parents=True)
    _written(
        paths.config_dir(),
        """
theme: nord
profiles: [lab, prod]
regions: [us-east-1, eu-west-1]
ssh_config: ~/.ssh/lab_config
key_folders:
  - ~/keys
  - /mnt/keys
refresh_seconds: 5
leader: ctrl+b
local_port: 9000
open_browser: no
read_only: true
keys:
  refresh: f5,ctrl+r
""",
    )
    assert load() == Settings(
        theme="nord",
        profiles=("lab", "prod"),
        regions=("us-east-1", "eu-west-1"),
        ssh_config=cut_off / ".ssh/lab_config",
        key_folders=(cut_off / "keys", Path("/mnt/keys")),
        refresh_seconds=5.0,
        leader="ctrl+b",
        local_port=9000,
        open_browser=False,
        read_only=True,
        keys={"refresh": "f5,ctrl+r"},
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("regions: all", ("all",)),
        ("regions: us-east-1, eu-west-1", ("us-east-1", "eu-west-1")),
        ("regions:", ()),
        ("regions: []", ()),
    ],
)
def test_ways_to_write_regions(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    assert load(_written(tmp_path, text)).regions == expected


@pytest.mark.parametrize("word", ["true", "yes", "on", "True", "false", "no", "off", "OFF"])
def test_ways_to_write_yes_and_no(tmp_path: Path, word: str) -> None:
    path = _written(tmp_path, f"open_browser: {word}\nread_only: {word}")
    expected = word.lower() in ("true", "yes", "on")
    assert (load(path).open_browser, load(path).read_only) == (expected, expected)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("refresh_seconds: often", 1, "refresh_seconds cannot be 'often'"),
        ("refresh_seconds: 0", 1, "refresh_seconds"),
        ("refresh_seconds: .nan", 1, "refresh_seconds"),
        ("refresh_seconds: nan", 1, "refresh_seconds"),
        ("refresh_seconds: 1e999", 1, "refresh_seconds"),
        ("refresh_seconds:", 1, "cannot be empty"),
        ("theme: x\nlocal_port: 70000", 2, "local_port cannot be '70000'"),
        ("local_port: true", 1, "local_port"),
        ("local_port: 88.5", 1, "local_port"),
        ("open_browser: perhaps", 1, "open_browser"),
        ("heal_hosts: sometimes", 1, "heal_hosts"),
        ("read_only: [true]", 1, "cannot be a list"),
        ("keys: f5", 1, "keys"),
        ("keys: {refresh: ''}", 1, "cannot be a table"),
        ("keys: {refresh: [f5]}", 1, "a single word"),
        ("theme: [[a]]", 1, "a single word"),
        ("theme: ''", 1, "theme"),
        ("leader: a", 1, "leader cannot be 'a'"),
        ("leader: shift+a", 1, "leader"),
        ("leader: ctrl+m", 1, "leader"),
        ("leader: enter", 1, "leader"),
        ("leader: x+y", 1, "leader"),
        ("colour: red", 1, "no setting 'colour'"),
        ("theme: a\ntheme: b", 2, "twice"),
        ("theme: 'a", 1, "not YAML"),
        ("\ttheme: a", 1, "not YAML"),
        ("- a\n- b", 0, "holds no settings"),
        ("just words", 0, "holds no settings"),
        ("theme: a\n---\ntheme: b", 2, "not YAML"),
        ('ssh_config: "a\\0b"', 1, "ssh_config"),
        ("[" * 5000, 0, ""),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = _written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load(path)
    assert str(path) in caught.value.title
    assert words in caught.value.title
    assert caught.value.hint
    assert caught.value.exit_code == 2
    if line:
        assert f"line {line}" in caught.value.title


@pytest.mark.parametrize("key", ["ctrl+]", "Ctrl+b", "alt+.", "f12", "ctrl+shift+a", "ctrl++"])
def test_ways_to_write_the_leader(tmp_path: Path, key: str) -> None:
    assert load(_written(tmp_path, f"leader: '{key}'")).leader == key


def test_the_allowed_values_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(_written(tmp_path, "local_port: many"))
    assert caught.value.detail == "Allowed: a port from 1 to 65535."
    with pytest.raises(UsageError) as caught:
        load(_written(tmp_path, "locl_port: 1"))
    assert "local_port" in caught.value.detail


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Cannot read"):
        load(tmp_path)


_scalars = st.one_of(
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.sampled_from(["!!int x", "2001-99-99", "0b", "!!timestamp x", "&a", "*a", "? :", "="]),
)
_values = st.recursive(
    _scalars,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3),
)
_names = st.sampled_from([f.name for f in dataclasses.fields(Settings)]) | st.text(max_size=10)
_documents = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
    st.dictionaries(_names, _values, max_size=6).map(
        lambda data: yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "replace")
    ),
    st.lists(st.tuples(_names, _scalars), max_size=6).map(
        lambda pairs: "\n".join(f"{k}: {v}" for k, v in pairs).encode("utf-8", "replace")
    ),
)


@given(_documents)
def test_any_file_is_settings_or_a_usage_error(document: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.yaml"
        path.write_bytes(document)
        try:
            found = load(path)
        except UsageError:
            return
    assert isinstance(found.theme, str)
    assert found.refresh_seconds >= 1
    assert 1 <= found.local_port <= 65535
    assert all(isinstance(region, str) for region in found.regions)


def test_every_setting_is_described_and_readable_as_described(tmp_path: Path) -> None:
    rows = describe()
    assert [name for name, *_ in rows] == [f.name for f in dataclasses.fields(Settings)]
    assert all(
        allowed and default and words.endswith((".", ").")) for _, allowed, default, words in rows
    )
    shown = {name: default for name, _, default, _ in rows}
    assert shown["open_browser"] == "true"
    assert shown["key_folders"] == "[~/.ssh, ~/Downloads, ~, ~/.aws]"
    lines = [f"{name}: {default}" for name, default in shown.items() if default != "(none)"]
    lines = [line.replace(", ~,", ', "~",').replace("ctrl+]", '"ctrl+]"') for line in lines]
    assert load(_written(tmp_path, "\n".join(lines))) == Settings()


def test_the_theme_is_remembered(cut_off: Path) -> None:
    assert settings.remembered_theme() is None
    settings.remember_theme("cloudtui-light")
    settings.remember_theme("mine: 'odd' #1 ü")
    assert settings.remembered_theme() == "mine: 'odd' #1 ü"
    file = paths.state_dir() / "view.yaml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(b"\xff\0[")
    assert settings.remembered_theme() is None


def test_a_theme_that_cannot_be_remembered_is_no_failure(cut_off: Path) -> None:
    paths.state_dir().parent.mkdir(parents=True)
    paths.state_dir().write_text("a file where the folder should be")
    settings.remember_theme("cloudtui-light")
    assert settings.remembered_theme() is None
