"""A Jupyter server that only talks as if: kernels that are busy or idle, and can be ended."""

from __future__ import annotations

import http.server
import json
import os
import secrets
import sys
import time
import uuid
from pathlib import Path
from typing import Any

FIRST_PORT, LAST_PORT = 8888, 8988
PAGE = (
    "<!doctype html><title>Jupyter of the demo</title><h1>Jupyter of the demo</h1>"
    "<p>Its kernels are made up, so there is no notebook to look at. "
    "Press J on jupyter-lab in the console for a real one.</p>"
)

MADE_UP = (
    "The kernels of this server of the demo are made up and run no cell. For a real one: "
    "cloudtui jupyter jupyter-lab"
)


def now(ago: float = 0.0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))


def kernel(state: str, ago: float) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "name": "python3",
        "execution_state": state,
        "last_activity": now(ago),
        "connections": 0,
    }


KERNELS = {"bert-finetune/evaluate.ipynb": kernel("busy", 0), "eda.ipynb": kernel("idle", 9_240)}
TERMINALS = ["1"]
TOKEN = secrets.token_hex(24)


class Talk(http.server.BaseHTTPRequestHandler):
    """The few questions that the console asks."""

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/api":
            self._say({"version": "2.14.0"})
        elif not path.startswith("/api/"):
            self._send(200, PAGE.encode(), "text/html")
        elif self._let_in():
            for busy in KERNELS.values():
                if busy["execution_state"] == "busy":
                    busy["last_activity"] = now()
            known = {
                "/api/kernels": list(KERNELS.values()),
                "/api/sessions": [
                    {"id": f"s-{each['id']}", "path": path, "type": "notebook", "kernel": each}
                    for path, each in KERNELS.items()
                ],
                "/api/terminals": [{"name": name} for name in TERMINALS],
                "/api/status": {"kernels": len(KERNELS)},
            }
            if path.startswith("/api/contents/"):
                self._say({"message": MADE_UP}, 501)
            else:
                self._say(
                    known.get(path, {"message": "No such endpoint."}), 200 if path in known else 404
                )

    def do_POST(self) -> None:
        if not self._let_in():
            return
        if self.path == "/api/shutdown":
            self._say({})
            os._exit(0)
        for each in KERNELS.values():
            if each["id"] in self.path:
                each["execution_state"], each["last_activity"] = "idle", now()
                self._say(each)
                return
        self._say({"message": "No such kernel."}, 404)

    def do_DELETE(self) -> None:
        if not self._let_in():
            return
        last = self.path.rpartition("/")[2]
        gone = [path for path, each in KERNELS.items() if each["id"] in self.path]
        for path in gone:
            del KERNELS[path]
        if last in TERMINALS and "/terminals/" in self.path:
            TERMINALS.remove(last)
            gone.append(last)
        self._send(204 if gone else 404, b"", "application/json")

    def _let_in(self) -> bool:
        good = self.headers.get("Authorization", "") == f"token {TOKEN}"
        if not good:
            self._say({"message": "Forbidden"}, 403)
        return good

    def _say(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve on the first free port, and say so where Jupyter would."""
    for port in range(FIRST_PORT, LAST_PORT):
        try:
            served = http.server.ThreadingHTTPServer(("127.0.0.1", port), Talk)
            break
        except OSError:
            continue
    else:
        sys.exit("every port is taken")
    folder = Path(os.environ["JUPYTER_RUNTIME_DIR"])
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    about = {
        "port": port,
        "token": TOKEN,
        "hostname": "localhost",
        "root_dir": str(Path.home()),
        "pid": os.getpid(),
        "version": "2.14.0",
        "base_url": "/",
        "secure": False,
        "password": False,
    }
    file = folder / f"jpserver-{os.getpid()}.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(about))
    served.serve_forever()


if __name__ == "__main__":
    main()
