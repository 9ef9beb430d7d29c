"""Crash reports hold where and what, never values or secrets."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudtui import __version__
from cloudtui.files import crash, paths


def _raised(message: str, secret: str = "") -> BaseException:
    def inner(value: str) -> None:
        kept = {"secret": value}
        raise RuntimeError(message or kept["secret"][:0])

    try:
        inner(secret)
    except RuntimeError as error:
        return error
    raise AssertionError


def test_a_report_says_where_and_with_what(cut_off: Path) -> None:
    path = crash.write_report(_raised("the engine stalled"))
    text = path.read_text()
    assert path.parent == paths.crash_dir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert f"cloudtui {__version__}" in text
    assert "RuntimeError: the engine stalled" in text
    assert "test_crash.py:" in text
    assert "in inner" in text
    assert "raise RuntimeError(" in text
    assert "textual 8" in text
    assert str(cut_off) not in text


def test_causes_and_groups_are_told(cut_off: Path) -> None:
    def fail() -> None:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ExceptionGroup("several", [ValueError("left"), OSError("right")]) from error

    with pytest.raises(ExceptionGroup) as caught:
        fail()
    text = crash.write_report(caught.value).read_text()
    assert text.index("KeyError: 'first'") < text.index("several") < text.index("ValueError: left")
    assert "OSError: right" in text


def test_an_exception_that_is_its_own_cause_ends(cut_off: Path) -> None:
    error = _raised("round")
    error.__cause__ = error
    assert "round" in crash.write_report(error).read_text()


def test_an_exception_without_words(cut_off: Path) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError("no words")

    assert "Mute" in crash.write_report(Mute()).read_text()


def test_the_newest_twenty_are_kept(cut_off: Path) -> None:
    written = [crash.write_report(_raised(f"number {n}")) for n in range(25)]
    assert sorted(paths.crash_dir().iterdir()) == sorted(written[-20:])


def test_a_folder_that_takes_no_files(cut_off: Path) -> None:
    paths.state_dir().parent.mkdir(parents=True)
    paths.state_dir().write_text("in the way")
    path = crash.write_report(_raised("still told"))
    try:
        assert "still told" in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        path.unlink()


_FORMS = [
    "GET http://localhost:8888/lab?token={} failed",
    "token: {}",
    "Authorization: Bearer {}",
    "Authorization: token {}",
    "{{'aws_secret_access_key': '{}', 'x': 1}}",
    '{{"SessionToken": "{}"}}',
    "password={}",
    "passphrase = '{}' is wrong",
    "X-Amz-Signature={}&X-Amz-Date=1",
    "X-Amz-Credential={}/20261121/us-east-1",
    "JUPYTER_TOKEN={} jupyter lab",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\n{}",
    "AKIA{}",
]

_secrets = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=12, max_size=60
).filter(lambda word: not any(word in text for text in (*_FORMS, "RuntimeError")))
"""No words that the report has anyway."""


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(_secrets)
def test_a_secret_in_a_variable_is_never_written(secret: str) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", folder)
        assert secret not in crash.write_report(_raised("stalled", secret)).read_text()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(_FORMS), _secrets)
def test_a_secret_in_a_message_is_never_written(form: str, secret: str) -> None:
    if form.startswith("AKIA"):
        secret = secret.upper()[:16].ljust(16, "A")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", folder)
        assert secret not in crash.write_report(_raised(form.format(secret))).read_text()


@pytest.mark.parametrize(
    "secret",
    [
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "3f1c0a9e5b7d2468ace013579bdf02468ace013579bdf024",
        "IQoJb3JpZ2luX2VjEJr__________wEaCXVzLWVhc3QtMSJHMEUCIQD",
    ],
)
def test_bare_secrets_go_by_their_shape(secret: str) -> None:
    assert secret not in crash.redacted(f"got {secret} instead")


@pytest.mark.parametrize(
    "text",
    [
        "No such file: /usr/lib/python3.11/site-packages/textual/widgets/_data_table.py",
        "Cannot reach bert-gpu (ec2-54-174-93-43.compute-1.amazonaws.com port 22)",
        "invalid literal for int() with base 10: 'often'",
        "i-0f3c77aa001122334 is stopped",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert crash.redacted(text) == text
