"""Real Jupyter servers on the host of a test, and a browser's end of a kernel."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tornado.websocket import websocket_connect

from tests.sshd import Sshd, free_port

PASSWORD = "swordfish"
HASHED = f"sha1:5a17:{hashlib.sha1(f'{PASSWORD}5a17'.encode()).hexdigest()}"
"""As `jupyter server password` writes it."""


@dataclass
class Server:
    """One that was started; it may not answer yet."""

    port: int
    process: subprocess.Popen[bytes]
    host: str = "127.0.0.1"
    token: str = field(default="", repr=False)

    def ready(self) -> None:
        """Wait until it listens."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "Jupyter ended"
            try:
                with socket.create_connection((self.host, self.port), 1):
                    return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("Jupyter does not listen")

    async def execute(self, kernel_id: str, code: str) -> None:
        """Send a cell to the kernel as a browser would, and go away once it has begun."""
        where = f"ws://{self.host}:{self.port}/api/kernels/{kernel_id}/channels?token={self.token}"
        channel = await websocket_connect(where)
        mark = uuid.uuid4().hex
        header = {"msg_id": mark, "msg_type": "execute_request", "session": mark}
        content = {"code": code, "silent": False}
        await channel.write_message(
            json.dumps(
                {
                    "channel": "shell",
                    "header": header,
                    "parent_header": {},
                    "metadata": {},
                    "content": content,
                }
            )
        )
        while message := await channel.read_message():
            told = json.loads(message)
            mine = told["parent_header"].get("msg_id") == mark
            if mine and told["msg_type"] == "execute_input":
                break
        channel.close()


@contextmanager
def server(
    sshd: Sshd, folder: Path, *words: str, host: str = "127.0.0.1", **more: str
) -> Iterator[Server]:
    """A server of the sshd's user, on a port of its own; `words` are its options, `more` is for
    its environment."""
    port, token = free_port(), "" if words else uuid.uuid4().hex
    environment = {**os.environ, **sshd.env, "JUPYTER_TOKEN": token, **more}
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root",
         f"--ServerApp.ip={host}", f"--port={port}", "--ServerApp.port_retries=0", *words],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield Server(port, process, host, token)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def locked_words(folder: Path) -> tuple[str, ...]:
    """Options of a server with a password, a certificate of its own and a base URL."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=lab"],
        check=True, capture_output=True,
    )  # fmt: skip
    return (
        f"--PasswordIdentityProvider.hashed_password={HASHED}",
        "--IdentityProvider.token=",
        f"--ServerApp.certfile={certificate}",
        f"--ServerApp.keyfile={key}",
        "--ServerApp.base_url=/team/nlp",
    )


STUB = f"""\
#!{sys.executable}
import http.server, json, os, pathlib, sys
if sys.argv[1] != "lab":
    sys.exit(1)
port = int(next(word for word in sys.argv if word.startswith("--port="))[7:])
class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{{}}")
while True:
    try:
        served = http.server.HTTPServer(("127.0.0.1", port), Api)
        break
    except OSError:
        port += 1
folder = pathlib.Path.home() / ".local/share/jupyter/runtime"
folder.mkdir(parents=True, exist_ok=True)
about = {{"port": port, "token": os.environ["JUPYTER_TOKEN"], "root_dir": os.getcwd(),
         "pid": os.getpid(), "hostname": "127.0.0.1", "version": "2.0",
         "activated": os.environ.get("ACTIVATED"), "prefix": os.environ.get("CONDA_PREFIX")}}
(folder / f"jpserver-{{os.getpid()}}.json").write_text(json.dumps(about))
served.serve_forever()
"""
"""A `jupyter` that starts at once, and says in its file what it was started with."""


def conda_environment(home: Path, name: str, *programs: str) -> Path:
    """An environment of conda with stubs of these programs; the path it has there."""
    prefix = home / "miniconda3/envs" / name
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta/python-3.12.4-h1.json").write_text("{}")
    (prefix / "bin").mkdir()
    for program in ("python", *programs):
        path = prefix / "bin" / program
        path.write_text(STUB)
        path.chmod(0o755)
    scripts = prefix / "etc/conda/activate.d"
    scripts.mkdir(parents=True)
    (scripts / "cuda.sh").write_text("[[ 1 == 1 ]] && export ACTIVATED=$CONDA_PREFIX\n")
    return prefix
