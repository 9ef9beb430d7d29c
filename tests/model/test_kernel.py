from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.errors import Ambiguous, NotFound
from cloudtui.model.kernel import (
    Kernel,
    NotebookServer,
    find_kernel,
    notebooks_match,
    parse_kernels,
    parse_terminals,
    parse_time,
)
from cloudtui.model.notebook import JupyterServer

KERNELS = [
    {
        "id": "bbbb1111",
        "name": "python3",
        "last_activity": "2026-11-21T19:00:00.123456Z",
        "execution_state": "idle",
        "connections": 2,
    },
    {"id": "aaaa2222", "name": "ir", "execution_state": "busy", "last_activity": "soon"},
    {"id": "0000cccc", "execution_state": None, "connections": "many"},
    "odd",
]
SESSIONS = [
    {"id": "s1", "path": "a b/train.ipynb", "kernel": {"id": "aaaa2222"}},
    {"id": "s2", "notebook": {"path": "old.ipynb"}, "kernel": {"id": "bbbb1111"}},
    {"id": "s3", "kernel": None},
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["id", "kernel", "path", "name"]), inner)
    ),
    max_leaves=8,
)


def test_kernels_with_their_notebooks_come_first() -> None:
    train, old, bare = parse_kernels(KERNELS, SESSIONS, {"aaaa2222": 5})
    assert (train.path, train.state, train.session_id, train.memory) == (
        "a b/train.ipynb",
        "busy",
        "s1",
        5,
    )
    assert train.last_activity is None
    assert (old.path, old.connections) == ("old.ipynb", 2), "a classic server's session"
    assert old.last_activity == datetime(2026, 11, 21, 19, 0, 0, 123456, UTC)
    assert (bare.spoken, bare.state, bare.connections) == ("0000cccc", "unknown", 0)


@given(JSON, JSON)
def test_answers_of_any_shape_are_read(kernels: object, sessions: object) -> None:
    assert all(isinstance(k, Kernel) for k in parse_kernels(kernels, sessions))
    assert all(parse_terminals(kernels))


@given(st.text())
def test_times_of_any_shape_have_a_zone(text: str) -> None:
    moment = parse_time(text)
    assert moment is None or moment.tzinfo


def server(port: int, *kernels: Kernel) -> NotebookServer:
    return NotebookServer(JupyterServer(port, root_dir="/srv"), "i-1", kernels)


ONE = Kernel("abc12345", path="data/train.ipynb", state="busy", name="python3")
TWO = Kernel("abd99999", path="old/train.ipynb", state="idle", name="python3")
SERVERS = (server(8888, ONE), server(8889, TWO))


@pytest.mark.parametrize("text", ["data/train.ipynb", "abc12345", "abc"])
def test_a_kernel_is_found_by_its_path_its_id_or_the_beginning_of_that(text: str) -> None:
    assert find_kernel(SERVERS, text) == (SERVERS[0], ONE)


def test_a_name_of_two_kernels_and_of_none() -> None:
    with pytest.raises(Ambiguous) as two:
        find_kernel(SERVERS, "train.ipynb")
    assert two.value.candidates == [
        "abc12345  busy  port 8888  data/train.ipynb",
        "abd99999  idle  port 8889  old/train.ipynb",
    ]
    with pytest.raises(Ambiguous):
        find_kernel(SERVERS, "ab")
    with pytest.raises(NotFound, match="No kernel answers to eda"):
        find_kernel(SERVERS, "eda")
    with pytest.raises(NotFound):
        find_kernel(SERVERS, "a")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", True),
        ("TRAIN busy", True),
        ("state:busy host:bert*", True),
        ("state:idle", False),
        ("port:8888 kernel:py", True),
        ("notebook:train", False),
        ("notebook:*train", True),
        ("terminal", False),
        ("/srv", True),
        ("what:kernel", True),
    ],
)
def test_the_filter(query: str, shown: bool) -> None:
    assert notebooks_match("bert-gpu", SERVERS[0], ONE, query) is shown


def test_the_filter_on_servers_and_terminals() -> None:
    assert notebooks_match("bert-gpu", SERVERS[0], None, "server")
    assert not notebooks_match("bert-gpu", SERVERS[0], None, "state:busy")
    assert notebooks_match("bert-gpu", SERVERS[0], "1", "what:terminal id:1")
