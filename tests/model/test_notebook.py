from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.notebook import JupyterServer, best, parse_servers

NEW = json.dumps(
    {
        "base_url": "/",
        "hostname": "localhost",
        "password": False,
        "pid": 42,
        "port": 8888,
        "root_dir": "/home/ubuntu",
        "secure": False,
        "sock": "",
        "token": "abc",
        "url": "http://localhost:8888/",
        "version": "2.20.0",
    }
)
OLD = json.dumps(
    {
        "base_url": "/user/x",
        "hostname": "0.0.0.0",
        "notebook_dir": "/srv",
        "password": True,
        "pid": 43,
        "port": 8889,
        "secure": True,
        "token": "",
        "url": "https://0.0.0.0:8889/user/x",
    }
)


def test_new_and_old_lists_and_plain_lines() -> None:
    text = f"{NEW}\n{OLD}\nCurrently running servers:\nhttp://127.0.0.1:9000/?token=t0 :: /work\n"
    new, old, plain = parse_servers(text)
    assert (new.port, new.token, new.lab, new.root_dir, new.pid) == (
        8888,
        "abc",
        True,
        "/home/ubuntu",
        42,
    )
    assert (old.port, old.base_url, old.lab, old.password, old.host) == (
        8889,
        "/user/x/",
        False,
        True,
        "localhost",
    )
    assert (plain.port, plain.token, plain.root_dir) == (9000, "t0", "/work")


def test_a_port_listed_twice_is_one_server() -> None:
    assert len(parse_servers(f"{NEW}\n{NEW}\nhttp://localhost:8888/?token=abc :: /x")) == 1


@pytest.mark.parametrize(
    ("server", "url"),
    [
        (JupyterServer(8888, "a b"), "http://localhost:18888/lab?token=a+b"),
        (JupyterServer(8888), "http://localhost:18888/lab"),
        (
            JupyterServer(8889, "t", base_url="/user/x/", secure=True, lab=False),
            "https://localhost:18888/user/x/tree?token=t",
        ),
    ],
)
def test_the_address_to_open(server: JupyterServer, url: str) -> None:
    assert server.url(18888) == url
    assert "token" not in server.url(18888, token=False)


def test_the_token_is_not_in_what_gets_logged() -> None:
    assert "s3cret" not in repr(JupyterServer(8888, "s3cret"))


def test_lab_before_classic_then_the_lowest_port() -> None:
    classic, late, early = (
        JupyterServer(1, lab=False),
        JupyterServer(3),
        JupyterServer(2),
    )
    assert best((classic, late, early)) is early
    assert best(()) is None


@given(st.text())
def test_no_output_of_a_host_is_a_crash(text: str) -> None:
    parse_servers(text)
    parse_servers("{" + text)
