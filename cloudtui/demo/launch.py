"""Starting and ending the embedded cloud from the console's process.

Cheap on purpose: this module and what it imports are standard library only. The API's socket
is listening before `Demo.__enter__` returns, so the console can open at once; its first request
waits in the socket's queue until the child has seeded the cloud.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, MutableMapping
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cloudtui.demo import folder as folders
from cloudtui.demo import processes
from cloudtui.demo.folder import Plan
from cloudtui.model.errors import CloudtuiError, Timeout

REGIONS = ("us-east-1", "eu-west-1")
NEEDED = ("moto", "flask", "flask_cors")
UNSET = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CA_BUNDLE",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
_END_SECONDS = 12.0


class Demo:
    """The embedded cloud, for the time of a `with` block.

    `phase_seconds` is how long pending, stopping and shutting-down last. `one_address` puts
    every host on 127.0.0.1 with a port of its own, as on systems that have no other loopback
    address.

    Raises:
        CloudtuiError: on entering, when the extra `demo` is not installed.
    """

    unset = UNSET
    """Environment variables that must be absent beside `environment`."""

    def __init__(self, *, phase_seconds: float = 2.0, one_address: bool = False) -> None:
        self._phase_seconds = phase_seconds
        self._one_address = one_address
        self._ends = ExitStack()
        self._plan: Plan | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._said = b""
        self._port = 0

    def __enter__(self) -> Self:
        missing = [name for name in NEEDED if find_spec(name) is None]
        if missing:
            raise CloudtuiError(
                "The embedded cloud is not installed.",
                f"It needs {' and '.join(missing)}, which come with the extra demo.",
                "Install it with: pipx install 'cloudtui[demo]'",
            )
        with ExitStack() as stack:
            folder = folders.make_private_folder()
            stack.callback(folders.remove, folder)
            api = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
            self._port = api.getsockname()[1]
            network, ssh_port = ("", 0) if self._one_address else folders.free_network()
            plan = Plan(folder, api.fileno(), network, ssh_port, REGIONS, self._phase_seconds)
            folders.lay_out(plan, self._port)
            self._log = stack.enter_context(plan.log.open("w+b"))
            self._plan = plan
            self._child = self._start(plan, api)
            stack.callback(self._end, plan, self._child)
            api.close()
            self._ends = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ends.close()

    @property
    def plan(self) -> Plan:
        if self._plan is None:
            raise RuntimeError("the demo has not been entered")
        return self._plan

    @property
    def folder(self) -> Path:
        """The private folder with everything the demo writes."""
        return self.plan.folder

    @property
    def url(self) -> str:
        """The EC2 and STS endpoint."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def ssh_config(self) -> Path:
        return self.plan.ssh_config

    @property
    def key(self) -> Path:
        """The private key of the key pair `demo`; exists once the cloud is ready."""
        return self.plan.key

    @property
    def environment(self) -> dict[str, str]:
        """The variables that send the console to this cloud and keep its files in the folder."""
        folder = self.folder
        direct = "127.0.0.1,localhost"
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "AKIADEMODEMODEMODEMO",
            "AWS_SECRET_ACCESS_KEY": "demo",
            "AWS_CONFIG_FILE": str(folder / "aws" / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws" / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "XDG_CONFIG_HOME": str(self.plan.config_home),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "NO_PROXY": direct,
            "no_proxy": direct,
        }

    def merged(self, environ: Mapping[str, str]) -> dict[str, str]:
        """`environ` with `environment` over it and `unset` taken out."""
        return {k: v for k, v in environ.items() if k not in self.unset} | self.environment

    def apply(self, environ: MutableMapping[str, str]) -> None:
        """Do the same to `environ` in place."""
        for name in self.unset:
            environ.pop(name, None)
        environ.update(self.environment)

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Block until the seeded cloud answers.

        Raises:
            CloudtuiError: the child ended; its last lines are the detail.
            Timeout: it said nothing within `timeout` seconds.
        """
        self._wait_for(b"ready\n", timeout)

    def wait_booted(self, timeout: float = 30.0) -> None:
        """Block until the hosts' SSH servers answer and their sessions run; raises likewise."""
        self._wait_for(b"booted\n", timeout)

    def failure(self) -> CloudtuiError | None:
        """Why the child ended, or None while it runs."""
        if self._child is None or self._child.poll() is None:
            return None
        return CloudtuiError(
            "The embedded cloud stopped.",
            self._last_lines() or f"Its process ended with status {self._child.returncode}.",
            "Start it again with: cloudtui demo",
        )

    def _start(self, plan: Plan, api: socket.socket) -> subprocess.Popen[bytes]:
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "MOTO_", "BOTO_"))
        }
        return subprocess.Popen(
            [sys.executable, "-m", "cloudtui.demo.cloud", plan.dumps()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=Path(__file__).parents[2],
            env=environ,
            pass_fds=(api.fileno(),),
            start_new_session=True,
        )

    def _wait_for(self, word: bytes, timeout: float) -> None:
        child = self._child
        if child is None or child.stdout is None:
            raise RuntimeError("the demo has not been entered")
        deadline = time.monotonic() + timeout
        while word not in self._said:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([child.stdout], [], [], left)[0]:
                raise Timeout(
                    f"The embedded cloud was not up after {timeout:.0f} s.",
                    self._last_lines(),
                    "Start it again with: cloudtui demo",
                )
            heard = os.read(child.stdout.fileno(), 4096)
            self._said += heard
            if not heard:
                child.wait()
                raise self.failure() or RuntimeError("the child closed its output")

    def _last_lines(self, count: int = 8) -> str:
        if self._log is None or self._log.closed:
            return ""
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").rstrip().splitlines()
        return "\n".join(lines[-count:])

    @staticmethod
    def _end(plan: Plan, child: subprocess.Popen[bytes]) -> None:
        """End the child, then whatever it could not end itself."""
        if child.stdin:
            child.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL, None):
            try:
                child.wait(_END_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if number is not None:
                    child.send_signal(number)
        if child.stdout:
            child.stdout.close()
        processes.end_marked(plan.mark)
