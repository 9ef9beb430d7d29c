"""A kernel's own sockets: ZMTP 3.0 and the messages of Jupyter, signed.

A subscriber to a kernel's iopub socket is no client of the Jupyter server: it is not counted
among a kernel's connections, so that the messages of a browser that went away are still kept for
it, idle kernels are still culled, and the server's limits on output do not hold.
"""

import hashlib
import hmac
import json
import socket
import struct
import time
import uuid
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

FRAME_LIMIT = 4 << 20
"""Bytes of one frame that are kept in memory; what a longer one holds is not read."""
_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
_DELIMITER = b"<IDS|MSG>"
_SOCKETS = {"iopub": b"SUB", "shell": b"DEALER", "control": b"DEALER"}


class Broken(Exception):
    """What answers speaks no ZMTP, or signs with another key."""


class Locked(Exception):
    """The kernel's sockets are encrypted."""


class Message(NamedTuple):
    """One message of a kernel."""

    id: str
    type: str
    parent: str
    """The id of the request it belongs to."""
    parent_type: str
    content: Dict[str, Any]
    size: int
    """Bytes of a content that was too long to be kept; 0 otherwise."""


class Wire:
    """One socket of a kernel."""

    def __init__(self, info: Dict[str, Any], channel: str, timeout: float = 5.0) -> None:
        """Raises OSError when nothing answers, `Broken` and `Locked`."""
        self._key = str(info.get("key") or "").encode()
        self._digest = str(info.get("signature_scheme") or "hmac-sha256").rpartition("-")[2]
        if info.get("curve_publickey") or info.get("curve_serverkey"):
            raise Locked("its sockets are encrypted")
        self._session = uuid.uuid4().hex
        self._rest = bytearray()
        address = str(info["ip"])
        port = info[channel + "_port"]
        if info.get("transport") == "ipc":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect("%s-%s" % (address, port))
        else:
            if address in ("", "*", "0.0.0.0", "::"):
                address = "127.0.0.1"
            self.socket = socket.create_connection((address, int(port)), timeout)
        try:
            self._meet(_SOCKETS[channel])
        except BaseException:
            self.socket.close()
            raise

    def _meet(self, kind: bytes) -> None:
        self.socket.sendall(_GREETING)
        greeting = self._exactly(64)
        if greeting[0] != 0xFF or greeting[9] != 0x7F or greeting[10] < 3:
            raise Broken("no ZMTP 3")
        mechanism = greeting[12:32].rstrip(b"\0")
        if mechanism != b"NULL":
            raise Locked("its sockets want %s" % mechanism.decode("latin-1"))
        identity = self._session.encode() if kind == b"DEALER" else b""
        ready = b"\x05READY"
        for name, value in ((b"Socket-Type", kind), (b"Identity", identity)):
            ready += bytes((len(name),)) + name + struct.pack(">I", len(value)) + value
        self.socket.sendall(bytes((4, len(ready))) + ready)
        flags, body = self._frame()
        if not flags & 4 or not body or not body.startswith(b"\x05READY"):
            raise Broken("no READY")
        if kind == b"SUB":
            self.socket.sendall(b"\x00\x01\x01")

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        self.socket.close()

    def receive(self, timeout: Optional[float] = None) -> Optional[Message]:
        """The next message; None for one that is no signed message of Jupyter.

        Raises:
            socket.timeout: nothing came within `timeout` seconds.
            EOFError, OSError: the kernel is gone.
        """
        if not self._rest:
            self.socket.settimeout(timeout)
        frames: List[Optional[bytes]] = []
        size = 0
        while True:
            flags, body = self._frame()
            self.socket.settimeout(60)
            if flags & 4:
                continue
            if body is None:
                size = self._skipped
            frames.append(body)
            if not flags & 1:
                return self._message(frames, size)

    def send(self, kind: str, content: Dict[str, Any]) -> str:
        """Send a request; its id."""
        message_id = uuid.uuid4().hex
        header = {
            "msg_id": message_id,
            "msg_type": kind,
            "session": self._session,
            "username": "cloudtui",
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "version": "5.3",
        }
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        frames = [_DELIMITER, self._signature(parts), *parts]
        data = bytearray()
        for number, frame in enumerate(frames, 1):
            more = number < len(frames)
            if len(frame) < 256:
                data += bytes((more, len(frame)))
            else:
                data += bytes((more | 2,)) + struct.pack(">Q", len(frame))
            data += frame
        self.socket.settimeout(20)
        self.socket.sendall(data)
        return message_id

    def _signature(self, parts: List[bytes]) -> bytes:
        if not self._key:
            return b""
        digest = hmac.new(self._key, digestmod=getattr(hashlib, self._digest, hashlib.sha256))
        for part in parts:
            digest.update(part)
        return digest.hexdigest().encode()

    def _message(self, frames: List[Optional[bytes]], size: int) -> Optional[Message]:
        if _DELIMITER not in frames:
            return None
        start = frames.index(_DELIMITER) + 1
        signature, parts = frames[start], frames[start + 1 : start + 5]
        if len(parts) < 4 or parts[0] is None or parts[1] is None:
            return None
        whole = [part for part in parts if part is not None]
        if len(whole) == 4 and not hmac.compare_digest(signature or b"", self._signature(whole)):
            return None
        try:
            header, parent = json.loads(parts[0].decode()), json.loads(parts[1].decode())
            content = json.loads(parts[3].decode()) if parts[3] is not None else {}
        except ValueError:
            return None
        if not (isinstance(header, dict) and isinstance(content, dict)):
            return None
        parent = parent if isinstance(parent, dict) else {}
        return Message(
            str(header.get("msg_id", "")),
            str(header.get("msg_type", "")),
            str(parent.get("msg_id", "")),
            str(parent.get("msg_type", "")),
            content,
            size if parts[3] is None else 0,
        )

    _skipped = 0

    def _frame(self) -> Tuple[int, Optional[bytes]]:
        flags = self._exactly(1)[0]
        if flags & 2:
            (size,) = struct.unpack(">Q", self._exactly(8))
        else:
            size = self._exactly(1)[0]
        if size > FRAME_LIMIT:
            self._skipped, left = size, size
            while left:
                left -= len(self._exactly(min(left, 1 << 18)))
            return flags, None
        return flags, bytes(self._exactly(size))

    def _exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            data = self.socket.recv(max(65536, min(count - len(self._rest), 1 << 20)))
            if not data:
                raise EOFError("the kernel closed its socket")
            self._rest += data
        taken = bytes(self._rest[:count])
        del self._rest[:count]
        return taken
