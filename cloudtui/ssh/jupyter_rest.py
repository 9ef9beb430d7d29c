"""Jupyter's REST interface, asked over the SSH connection: no local port is needed for it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import asyncssh

from cloudtui.model.errors import CloudtuiError, CredentialsProblem, NotFound, Timeout, Unreachable
from cloudtui.model.notebook import JupyterServer
from cloudtui.ssh.connection import Connection, Stream

ANSWER_SECONDS = 10.0
"""Time a server has for one answer."""
HEAD_LIMIT, BODY_LIMIT = 64 << 10, 64 << 20
"""Bytes of an answer's head and body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    """Names in lower case, in the order they came."""
    body: bytes = field(default=b"", repr=False)

    def json(self) -> Any:
        """The body's value; None for an empty one.

        Raises:
            CloudtuiError: it is no JSON.
        """
        if not self.body.strip():
            return None
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise CloudtuiError(
                "Jupyter answered with something that is not JSON.",
                self.body[:200].decode(errors="replace"),
            ) from error


@dataclass(frozen=True, slots=True)
class Login:
    """What a password was exchanged for. It lives in memory only."""

    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)


async def ask(
    conn: Connection,
    server: JupyterServer,
    method: str,
    path: str,
    body: Any = None,
    *,
    login: Login | None = None,
    timeout: float | None = None,
) -> Answer:
    """One request to a server of the host; `path` is below its base_url, such as `api/kernels`.

    `body` is sent as JSON. The server's token goes in a header, and `login` for one with a
    password. Its certificate is not checked: it is reached on the host itself, inside SSH.

    Raises:
        CredentialsProblem: it wants a password or another token.
        NotFound: it has no such thing.
        Timeout: no whole answer within `timeout` seconds, or else `ANSWER_SECONDS`.
        Unreachable: nothing listens there any more, or no HTTP came back.
        Refused, ConnectionCut: as the connection.
        CloudtuiError: it refused for another reason; the detail is its own message.
    """
    headers: dict[str, str] = {}
    if server.token:
        headers["Authorization"] = f"token {server.token}"
    elif login:
        headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in login.cookies.items())
        if token := login.cookies.get("_xsrf"):
            headers["X-XSRFToken"] = token
    data = b""
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    answer = await _request(conn, server, method, path, headers, data, timeout)
    if answer.status < 300:
        return answer
    raise _refusal(conn, server, path, answer)


async def log_in(
    conn: Connection, server: JupyterServer, password: str, *, timeout: float | None = None
) -> Login:
    """Exchange the server's password for its cookies.

    Raises:
        CredentialsProblem: it is another password.
        Timeout, Unreachable: as `ask`.
    """
    first = await _request(conn, server, "GET", "login", {}, b"", timeout)
    cookies = _cookies(first)
    form = {"password": password, "_xsrf": cookies.get("_xsrf", "")}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items()),
    }
    second = await _request(
        conn, server, "POST", "login", headers, urlencode(form).encode(), timeout
    )
    given = _cookies(second)
    if second.status != 302 or not any(name != "_xsrf" for name in given):
        raise CredentialsProblem(
            f"Jupyter on {conn.route.spoken} port {server.port} does not take that password.",
            hint="Try again. It is set there with: jupyter server password",
        )
    return Login({**cookies, **given})


def _refusal(conn: Connection, server: JupyterServer, path: str, answer: Answer) -> CloudtuiError:
    where = f"Jupyter on {conn.route.spoken} port {server.port}"
    message = _message(answer)
    if answer.status in (401, 403) or (answer.status == 302 and "login" in _location(answer)):
        if server.tokenless:
            return CredentialsProblem(f"{where} wants its password.", message)
        return CredentialsProblem(
            f"{where} does not take its token.",
            message,
            "It may be of another user, or behind JupyterHub.",
        )
    if answer.status == 404:
        return NotFound(f"{where} has no {path}.", message)
    return CloudtuiError(f"{where} refused {path} (HTTP {answer.status}).", message)


def _message(answer: Answer) -> str:
    """Jupyter's own words of a refusal."""
    try:
        value = json.loads(answer.body)
    except ValueError:
        return ""
    if not isinstance(value, dict):
        return ""
    parts = (value.get("message"), value.get("reason"))
    return " ".join(part for part in parts if isinstance(part, str) and part)


def _location(answer: Answer) -> str:
    return next((value for name, value in answer.headers if name == "location"), "")


def _cookies(answer: Answer) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in answer.headers:
        if name == "set-cookie":
            key, _, rest = value.partition("=")
            found[key.strip()] = rest.partition(";")[0].strip()
    return found


# HTTP/1.1


class Bytes(Protocol):
    """What carries the answer."""

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        ...

    async def write(self, data: bytes) -> None: ...


class _Plain:
    def __init__(self, stream: Stream) -> None:
        self._reader, self._writer = stream

    async def read(self) -> bytes:
        return await self._reader.read(65_536)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


class _Tls:
    """TLS over a stream that is no socket."""

    def __init__(self, stream: Stream) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._raw = _Plain(stream)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out)

    async def _flush(self) -> None:
        if self._out.pending:
            await self._raw.write(self._out.read())

    async def read(self) -> bytes:
        while True:
            try:
                return self._tls.read(65_536)
            except ssl.SSLWantReadError:
                await self._more()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""

    async def _more(self) -> None:
        await self._flush()
        if data := await self._raw.read():
            self._in.write(data)
        else:
            self._in.write_eof()

    async def write(self, data: bytes) -> None:
        while True:
            try:
                self._tls.write(data)
                break
            except ssl.SSLWantReadError:
                await self._more()
        await self._flush()


class _Reader:
    """Lines and counted bytes of one answer."""

    def __init__(self, source: Bytes) -> None:
        self._source = source
        self._kept = b""

    async def line(self) -> bytes:
        while b"\n" not in self._kept:
            if len(self._kept) > HEAD_LIMIT or not (data := await self._source.read()):
                raise _Broken
            self._kept += data
        line, _, self._kept = self._kept.partition(b"\n")
        return line.rstrip(b"\r")

    async def exactly(self, count: int) -> bytes:
        if count > BODY_LIMIT:
            raise _Broken
        parts, held = [self._kept], len(self._kept)
        while held < count:
            if not (data := await self._source.read()):
                raise _Broken
            parts.append(data)
            held += len(data)
        whole = b"".join(parts)
        self._kept = whole[count:]
        return whole[:count]

    async def rest(self) -> bytes:
        parts, held = [self._kept], len(self._kept)
        while data := await self._source.read():
            parts.append(data)
            held += len(data)
            if held > BODY_LIMIT:
                raise _Broken
        return b"".join(parts)


class _Broken(Exception):
    """Not HTTP, cut short, or too long."""


async def _request(
    conn: Connection,
    server: JupyterServer,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    timeout: float | None,
) -> Answer:
    timeout = ANSWER_SECONDS if timeout is None else timeout
    where = f"Jupyter on {conn.route.spoken} port {server.port}"
    lines = [
        f"{method} {server.base_url}{path.lstrip('/')} HTTP/1.1",
        f"Host: localhost:{server.port}",
        "Accept: application/json",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    head = "\r\n".join([*lines, "", ""]).encode()
    try:
        async with asyncio.timeout(timeout), conn.stream(server.host, server.port) as stream:
            if stream is None:
                raise Unreachable(f"{where} is gone: nothing listens there.")
            talk: Bytes = _Tls(stream) if server.secure else _Plain(stream)
            await talk.write(head + body)
            answer = await read_answer(talk, method)
    except TimeoutError:
        raise Timeout(
            f"{where} gave no answer within {timeout:g} s.",
            "It listens, but hangs: its machine may be out of memory.",
        ) from None
    except ssl.SSLError as error:
        raise _foreign(conn, server, str(error)) from error
    except (asyncssh.Error, OSError) as error:
        if conn.closed:
            raise conn.cut() from error
        raise Unreachable(f"{where} broke off its answer.", str(error)) from error
    if answer is None:
        raise _foreign(conn, server, "Its answer was cut short, or is none.")
    return answer


def _foreign(conn: Connection, server: JupyterServer, why: str) -> Unreachable:
    scheme = "HTTPS" if server.secure else "HTTP"
    return Unreachable(
        f"What listens on port {server.port} of {conn.route.spoken} does not speak {scheme}.", why
    )


async def read_answer(source: Bytes, method: str) -> Answer | None:
    """The answer to a request of that method; None for one that is not HTTP, cut or too long."""
    try:
        return await _answer(_Reader(source), method)
    except _Broken:
        return None


async def _answer(reader: _Reader, method: str) -> Answer:
    status = 100
    headers: list[tuple[str, str]] = []
    while 100 <= status < 200:
        version, _, rest = (await reader.line()).decode("latin-1").partition(" ")
        code = rest[:3]
        if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit()):
            raise _Broken
        status = int(code)
        headers = []
        while line := (await reader.line()).decode("latin-1"):
            name, _, value = line.partition(":")
            headers.append((name.strip().lower(), value.strip()))
            if len(headers) > 1000:
                raise _Broken
    named = dict(headers)
    if method == "HEAD" or status in (204, 304):
        return Answer(status, tuple(headers))
    if "chunked" in named.get("transfer-encoding", "").lower():
        return Answer(status, tuple(headers), await _chunks(reader))
    if "content-length" in named:
        return Answer(status, tuple(headers), await reader.exactly(_count(named["content-length"])))
    return Answer(status, tuple(headers), await reader.rest())


async def _chunks(reader: _Reader) -> bytes:
    parts: list[bytes] = []
    held = 0
    while size := _count((await reader.line()).partition(b";")[0].decode("latin-1"), 16):
        held += size
        if held > BODY_LIMIT:
            raise _Broken
        parts.append(await reader.exactly(size))
        await reader.line()
    while await reader.line():
        pass
    return b"".join(parts)


def _count(text: str, base: int = 10) -> int:
    try:
        count = int(text.strip(), base)
    except ValueError:
        raise _Broken from None
    if count < 0:
        raise _Broken
    return count


def quoted(path: str) -> str:
    """A path as part of an address; slashes stay."""
    return quote(path, safe="/")
