"""A real moto server in a child process, and an endpoint that answers whatever a test wants."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import hypothesis  # noqa: F401 - cannot be loaded after gc.freeze, which Amazon calls
import pytest

_LAUNCHER = """
import os, sys, threading
from werkzeug.serving import make_server
import moto.ec2.models.amis
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

# With the images that it has loaded by now, every region does without the 1,300 it would make.
os.environ["MOTO_AMIS_PATH"] = "loaded"

def die_with_the_parent():
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=die_with_the_parent, daemon=True).start()
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.port, flush=True)
server.serve_forever()
"""

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
}


@contextmanager
def moto_server() -> Iterator[str]:
    """The URL of a moto server in a process of its own.

    Its port is chosen by the kernel and printed when it listens.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MOTO_"))}
    child = subprocess.Popen(
        [sys.executable, "-c", _LAUNCHER],
        env=env | KEYS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        port = child.stdout.readline().strip()
        assert port, f"the moto server ended with status {child.wait()}"
        yield f"http://127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """One that lives as long as the test run."""
    with moto_server() as url:
        yield url


@pytest.fixture
def aws_env(moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty account: moto reset, and AWS_* pointing to it. Returns the URL."""
    request = urllib.request.Request(f"{moto}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    _point_to(moto, monkeypatch)
    return moto


def _point_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


class Request(NamedTuple):
    """What the stub was asked."""

    method: str
    body: str
    headers: Mapping[str, str]
    path: str = "/"


Answer = tuple[int, str | bytes, str] | tuple[int, str | bytes, str, Mapping[str, str]]
"""Status, body, Content-Type, and more headers."""


class StubEndpoint:
    """An HTTP server on loopback that gives one chosen answer to every request."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        """Each request so far."""
        self._answers: list[tuple[int, bytes, dict[str, str]]] = [(500, b"", {})]
        self._choose: Callable[[Request], Answer] | None = None
        self._silent = False
        self._done = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(
        self, status: int, body: str | bytes, content_type: str = "text/xml", **headers: str
    ) -> None:
        """Answer every request from now on with this."""
        self.answer_in_turn((status, body), content_type=content_type, **headers)

    def answer_in_turn(
        self, *answers: tuple[int, str | bytes], content_type: str = "text/xml", **headers: str
    ) -> None:
        """Answer the next requests with these; the last one stays."""
        sent = {"Content-Type": content_type} | {k.replace("_", "-"): v for k, v in headers.items()}
        self._answers = [
            (status, body.encode() if isinstance(body, str) else body, sent)
            for status, body in answers
        ]

    def answer_by(self, choose: Callable[[Request], Answer]) -> None:
        """Answer each request from now on with what `choose` says."""
        self._choose = choose

    def answer_error(self, status: int, code: str, message: str, **headers: str) -> None:
        """Answer as EC2 does when it refuses."""
        self.answer(
            status,
            "<?xml version='1.0' encoding='UTF-8'?><Response><Errors><Error>"
            f"<Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            "<RequestID>0f3c</RequestID></Response>",
            **headers,
        )

    def hang(self) -> None:
        """Take requests and never answer."""
        self._silent = True

    def close(self) -> None:
        """End the server and let hanging requests go."""
        self._done.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body_text = self.rfile.read(length).decode()
                request = Request(self.command, body_text, dict(self.headers), self.path)
                stub.requests.append(request)
                if stub._silent:
                    stub._done.wait()
                    self.close_connection = True
                    return
                answers = stub._answers
                if stub._choose:
                    status, chosen, kind, *more = stub._choose(request)
                    body = chosen.encode() if isinstance(chosen, str) else chosen
                    headers = {"Content-Type": kind, **(more[0] if more else {})}
                else:
                    status, body, headers = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response_only(status)
                if "Date" not in headers:
                    self.send_header("Date", self.date_time_string())
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def stub_endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubEndpoint]:
    """An endpoint under the test's control, with AWS_* pointing to it."""
    stub = StubEndpoint()
    _point_to(stub.url, monkeypatch)
    yield stub
    stub.close()
