"""A file of an ssh config as lines: bytes survive, and OpenSSH reads values as is said here."""

from __future__ import annotations

import os
import subprocess
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudtui.files.ssh_document import (
    Document,
    like,
    matches,
    parse,
    quoted,
    words,
    written_value,
)
from tests.ssh_configs import SAMPLES

_BITS = (
    *(b"Host a b", b"Host", b"host *", b"Match all", b"User u", b"User=", b"IdentityFile"),
    *(b"=", b'"', b"'", b"\\", b"#", b" ", b"\t", b"\r", b"\f", b"\0", b"\xff", b"\n", b'"a b"'),
)
LINES = st.lists(st.sampled_from(_BITS) | st.binary(max_size=6)).map(b"".join)


@given(LINES)
def test_any_bytes_are_the_same_after_reading(data: bytes) -> None:
    document = Document.read(data)
    assert document.data == data
    assert b"".join(line.raw for line in document.copy().lines) == data
    blocks = document.blocks()
    assert [b.start for b in blocks[1:]] == [b.end for b in blocks[:-1]]
    assert blocks[-1].end == len(document.lines)


@given(LINES, st.sampled_from([b"10.0.0.9", b'"a b"']))
def test_a_new_value_changes_nothing_around_it(data: bytes, value: bytes) -> None:
    for line in Document.read(data).lines:
        if line.value:
            changed = line.with_value(value)
            assert (changed.keyword, changed.value) == (line.keyword, value)
            assert changed.raw[: line.start] == line.raw[: line.start]
            assert changed.raw[line.start + len(value) :] == line.raw[line.end :]


@pytest.mark.parametrize(
    ("raw", "keyword", "value"),
    [
        (b"Host a b # c\n", b"host", b"a b"),
        (b"\tHostName = 1.2.3.4  # x\r\n", b"hostname", b"1.2.3.4"),
        (b'User="q r"\n', b"user", b'"q r"'),
        (b" = Port 99", b"port", b"99"),
        (b'"Port" 99 \t\f\n', b"port", b"99"),
        (b'ProxyCommand = nc "%h" # %p \r\n', b"proxycommand", b'nc "%h" # %p'),
        (b"User a#b\n", b"user", b"a#b"),
        (b'User "a # b" # c\n', b"user", b'"a # b"'),
        (b"Host # nobody\n", b"host", b""),
        (b"User a\0b\n", b"user", b"a"),
        (b"Host\n", b"", b""),
        (b"  # Host x\n", b"", b""),
        (b"#Host=x\n", b"", b""),
        (b"\n", b"", b""),
    ],
)
def test_keyword_and_value(raw: bytes, keyword: bytes, value: bytes) -> None:
    line = parse(raw)
    assert (line.keyword, line.value) == (keyword, value)


def _as_ssh_reads(config: bytes) -> bytes:
    """The User of `ssh -G`; what ssh refuses is empty."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(config)
        file.flush()
        told = subprocess.run(
            ["ssh", "-G", "-T", "-F", file.name, "host"],
            capture_output=True,
            check=False,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )
    found = [x for x in told.stdout.split(b"\n") if x.startswith(b"user ")]
    return found[0].removeprefix(b"user ") if found else b""


USERS = st.lists(
    st.sampled_from([b"a", b"B", b" ", b"\t", b'"', b"'", b"\\", b"#", b"=", b"%", b"\xe4"]),
    max_size=8,
).map(b"".join)


@settings(max_examples=60, deadline=None)
@given(USERS)
def test_words_are_split_as_openssh_does(text: bytes) -> None:
    """One word: ssh takes it. None, or more: it refuses the line."""
    line = parse(b"User z" + text + b"\n")
    found = words(line.value)
    expected = found[0] if found and len(found) == 1 else b""
    assert _as_ssh_reads(b"User z" + text + b"\n") == expected


@settings(max_examples=60, deadline=None)
@given(USERS.map(lambda text: b"z" + text))
def test_what_is_quoted_is_what_openssh_reads(text: bytes) -> None:
    assert words(quoted(text)) == (text,)
    assert _as_ssh_reads(b"User " + quoted(text) + b"\n") == text


def test_values_as_they_are_written() -> None:
    assert written_value("HostName", "10.0.0.1") == b"10.0.0.1"
    assert written_value("identityfile", "~/my key") == b'"~/my key"'
    assert written_value("LocalForward", "8888 localhost:8888") == b"8888 localhost:8888"
    assert written_value("ProxyCommand", "nc -x 'a b' %h # c") == b"nc -x 'a b' %h # c"


@pytest.mark.parametrize(
    ("keyword", "value", "told"),
    [
        ("SendEnv", "A # B", "not read all"),
        ("SetEnv", 'A="b', "never closed"),
        ("ProxyCommand", "nc 'x", "never closed"),
        ("ProxyCommand", "=nc", "begins with ="),
        ("ProxyJump", "=a", "not read all"),
    ],
)
def test_values_that_openssh_would_read_differently(keyword: str, value: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        written_value(keyword, value)


def test_patterns() -> None:
    assert like(b"w?b*", b"web-1")
    assert not like(b"w?b", b"web-1")
    assert not like(b"Web", b"web")
    assert matches([b"*", b"!db"], b"web")
    assert not matches([b"*", b"!db"], b"db")
    assert not matches([b"!db"], b"web")
    assert not like(b"*a" * 40 + b"b", b"a" * 400)


def test_there_are_seventeen_samples_and_all_are_read_back() -> None:
    assert len(SAMPLES) == 17
    for files in SAMPLES.values():
        for data in files.values():
            assert Document.read(data).data == data
