from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.web_address import Inside, at_port, inside, may_open


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://localhost:8888/lab?token=abc", Inside("localhost", 8888)),
        ("http://LOCALHOST:8888/", Inside("localhost", 8888)),
        ("http://127.0.0.1:6006/", Inside("localhost", 6006)),
        ("http://0.0.0.0:8000", Inside("localhost", 8000)),
        ("http://[::1]:8080/x", Inside("localhost", 8080)),
        ("http://[::]:8080/x", Inside("localhost", 8080)),
        ("http://[::ffff:127.0.0.1]:81/", Inside("localhost", 81)),
        ("http://127.0.1.1:9000/", Inside("127.0.1.1", 9000)),
        ("http://lab.localhost/", Inside("localhost", 80)),
        ("https://localhost/", Inside("localhost", 443)),
        ("http://example.org:8888/", None),
        ("http://10.0.0.3:8888/", None),
        ("http://localhost.example.org/", None),
        ("http://localhost:99999/", None),
        ("http://localhost:none/", None),
        ("http://[::1:8080/", None),
        ("ftp://localhost:21/", None),
        ("http://user@localhost:8888/", Inside("localhost", 8888)),
        ("", None),
    ],
)
def test_which_port_of_the_host_is_meant(url: str, port: Inside | None) -> None:
    assert inside(url) == port


def test_a_port_that_needs_root_is_another_one_here() -> None:
    assert [Inside("localhost", port).wanted for port in (80, 443, 8888)] == [8080, 8443, 8888]


@pytest.mark.parametrize(
    ("url", "there", "here"),
    [
        ("https://example.org/", True, True),
        ("mailto:a@example.org", True, True),
        ("file:///etc/passwd", False, True),
        ("javascript:alert(1)", False, False),
        ("ssh://host", False, False),
        ("http://example.org/\r\nX: y", False, False),
        ("http://example.org/ y", False, False),
        ("no address", False, False),
    ],
)
def test_what_a_program_may_have_opened(url: str, there: bool, here: bool) -> None:
    assert (may_open(url, here=False), may_open(url, here=True)) == (there, here)


WORDS = st.text("abcXYZ019-_.~", max_size=12)


@given(
    WORDS,
    st.lists(st.tuples(WORDS.filter(bool), WORDS.filter(bool))),
    WORDS,
    st.integers(1, 65_535),
)
def test_only_host_and_port_change(
    path: str, query: list[tuple[str, str]], fragment: str, port: int
) -> None:
    words = "&".join(f"{key}={value}" for key, value in query)
    url = f"http://u:p@0.0.0.0:8888/{path}?{words}#{fragment}"
    moved = urlsplit(at_port(url, port))
    assert (moved.hostname, moved.port) == ("localhost", port)
    assert (moved.username, moved.password) == ("u", "p")
    assert moved.path == f"/{path}"
    assert parse_qsl(moved.query) == query
    assert moved.fragment == fragment
    assert inside(moved.geturl()) == Inside("localhost", port)


def test_the_address_of_this_computer_stays_what_it_was_called() -> None:
    assert at_port("http://127.0.0.1:1/a?b=c", 2) == "http://127.0.0.1:2/a?b=c"
    assert at_port("http://[::1]/a", 2) == "http://localhost:2/a"
