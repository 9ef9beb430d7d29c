"""Bulk data over an SSH connection with AES-GCM at the cost of OpenSSH's own.

asyncssh copies every packet about ten times, builds the cipher anew for it, and sends an empty
packet before it. Here packets are read into one buffer and decrypted once, and what a channel got
with one read is given to its session in one piece. Everything else (logins, key exchange, other
ciphers, terminals, closing) stays asyncssh's. This needs its private names: with another
release than those in `KNOWN`, or where anything looks different, connections are left as they are.
"""

from __future__ import annotations

import asyncio
import os
import struct
import time
from typing import Any

import asyncssh
from asyncssh.constants import (
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_WINDOW_ADJUST,
    MSG_IGNORE,
    MSG_KEX_LAST,
)
from asyncssh.encryption import GCMEncryption
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KNOWN = ("2.24.",)
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
TAG = 16
BUFFER = 256 << 10
"""Bytes taken from the network at once."""
GRANT = 512 << 10
"""Bytes taken after which the host may send as many more."""
SENDING = ("open", "eof_pending", "eof")
"""States of a channel's other direction in which what comes in is still wanted."""
LENGTH = struct.Struct(">I")
DATA_HEAD = struct.Struct(">BBII")
"""Of an opened packet: bytes of padding, kind, channel, bytes of data."""


class Bulk(asyncssh.SSHTCPSession[bytes]):
    """A session that takes what came as the pieces that it lies in."""

    def pieces_received(self, pieces: list[memoryview]) -> None:
        """Instead of `data_received`; at least one, none empty."""
        raise NotImplementedError


def quicken(conn: asyncssh.SSHClientConnection) -> bool:
    """Speed up a connection that has just been opened; False when it is left as it is."""
    ciphers = (conn.get_extra_info("send_cipher"), conn.get_extra_info("recv_cipher"))
    fits = (
        asyncssh.__version__.startswith(KNOWN)
        and type(conn) is asyncssh.SSHClientConnection
        and all(cipher in CIPHERS for cipher in ciphers)
        and conn._compressor is None
        and conn._decompressor is None
    )
    if fits:
        conn.__class__ = Quick
        assert isinstance(conn, Quick)
        conn.begin()
    return fits


class _Gcm(GCMEncryption):
    """AES-GCM with its key made ready once. A packet that was opened already is handed to
    asyncssh as it is."""

    def __init__(self, cipher: GCMEncryption) -> None:
        of = cipher._cipher
        self._aes = AESGCM(of._key)
        self._fixed = of._iv[:4]
        self._count = int.from_bytes(of._iv[4:], "big")
        self.opened: bytes | None = None

    def _nonce(self) -> bytes:
        count = self._count
        self._count = (count + 1) & 0xFFFF_FFFF_FFFF_FFFF
        return self._fixed + count.to_bytes(8, "big")

    def seal(self, header: bytes, packet: bytes) -> bytes:
        return self._aes.encrypt(self._nonce(), packet, header)

    def open(self, header: memoryview, rest: memoryview) -> bytes | None:
        """None when it was tampered with."""
        try:
            return self._aes.decrypt(self._nonce(), rest, header)
        except InvalidTag:
            return None

    def encrypt_packet(self, seq: int, header: bytes, packet: bytes) -> tuple[bytes, bytes]:
        return header + self.seal(header, packet), b""

    def decrypt_packet(
        self, seq: int, first: bytes, rest: bytes, header_len: int, mac: bytes
    ) -> bytes | None:
        opened, self.opened = self.opened, None
        return opened


class Quick(asyncssh.SSHClientConnection, asyncio.BufferedProtocol):
    """A connection after its login; an asyncssh one becomes one by `quicken`."""

    def begin(self) -> None:
        """Take over in the middle of the stream."""
        self._bytes = bytearray(BUFFER)
        self._view = memoryview(self._bytes)
        self._from = self._until = 0
        self._random = b""
        early, self._inpbuf = self._inpbuf, b""
        self._append(early)
        transport = self._transport
        if isinstance(transport, asyncio.Transport):
            transport.set_protocol(self)
        self._recv_data()

    # What comes in

    def get_buffer(self, sizehint: int) -> memoryview:
        if len(self._view) - self._until < BUFFER // 2:
            self._make_room(BUFFER // 2)
        return self._view[self._until :]

    def buffer_updated(self, nbytes: int) -> None:
        self._until += nbytes
        self._recv_data()

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        """From a jump host."""
        self._append(data)
        self._recv_data()

    def _append(self, data: bytes) -> None:
        if len(self._view) - self._until < len(data):
            self._make_room(len(data))
        self._view[self._until : self._until + len(data)] = data
        self._until += len(data)

    def _make_room(self, size: int) -> None:
        left = self._until - self._from
        if len(self._view) - left < size:
            larger = memoryview(bytearray(max(2 * len(self._view), left + size)))
            larger[:left] = self._view[self._from : self._until]
            self._view = larger
        else:
            self._view[:left] = self._view[self._from : self._until]
        self._from, self._until = 0, left

    def _recv_data(self) -> None:
        """All whole packets of the buffer."""
        self._keepalive_count = 0  # whatever came is a sign of life, not the answer alone
        self._reset_keepalive_timer()
        if self._recv_handler == self._recv_packet:
            # a packet whose head asyncssh has taken already
            head, self._packet = self._packet, b""
            rest = bytes(self._view[self._from : self._until])
            self._from = self._until = 0
            self._append(head + rest)
            self._recv_handler = self._recv_pkthdr
        pieces: list[memoryview] = []
        channel: Any = None
        ready = self._recv_pkthdr
        while self._transport and self._recv_handler == ready:
            start, left = self._from, self._until - self._from
            view = self._view
            if left < self._recv_blocksize:
                break
            cipher = self._recv_encryption
            if type(cipher) is not _Gcm:
                if type(cipher) is not GCMEncryption:
                    self._slowly(bytes(view[start : self._until]))
                    self._from = self._until = 0
                    break
                self._recv_encryption = cipher = _Gcm(cipher)
            length = LENGTH.unpack_from(view, start)[0]
            if length > self._max_recv_pktlen:
                self._slowly(bytes(view[start : self._until]))  # refuses it
                break
            size = 4 + length + TAG
            if left < size:
                break
            packet = cipher.open(view[start : start + 4], view[start + 4 : start + size])
            self._from += size
            if packet and len(packet) > DATA_HEAD.size and self._decompressor is None:
                padding, kind, number, size_of_data = DATA_HEAD.unpack_from(packet)
                if kind == MSG_CHANNEL_DATA:
                    found = self._channels.get(number)
                    if found is not channel:
                        self._deliver(channel, pieces)
                        channel, pieces = found, []
                    rest = len(packet) - padding - DATA_HEAD.size
                    if (
                        channel
                        and rest == size_of_data
                        and self._taken(channel, packet, rest, pieces)
                    ):
                        self._recv_seq = (self._recv_seq + 1) & 0xFFFF_FFFF
                        continue
            self._deliver(channel, pieces)
            channel, pieces = None, []
            cipher.opened = packet
            self._slowly(bytes(view[start : start + size]))
        self._deliver(channel, pieces)
        if self._from == self._until:
            self._from = self._until = 0

    def _taken(self, channel: Any, packet: bytes, size: int, pieces: list[memoryview]) -> bool:
        """Count the packet's data as the channel's; False when that needs a closer look."""
        left = channel._recv_window - size
        if (
            not isinstance(channel._session, Bulk)
            or channel._recv_state != "open"
            or channel._send_state not in SENDING
            or size <= 0
            or left < 0
        ):
            return False
        channel._recv_window = left
        if channel._recv_paused:
            channel._recv_buf.append((packet[DATA_HEAD.size : DATA_HEAD.size + size], None))
            return True
        used = channel._init_recv_window - left
        if used > GRANT or 2 * used > channel._init_recv_window:
            self._grant(channel, used)
        pieces.append(memoryview(packet)[DATA_HEAD.size : DATA_HEAD.size + size])
        return True

    def _grant(self, channel: Any, more: int) -> None:
        channel._recv_window += more
        channel.send_packet(MSG_CHANNEL_WINDOW_ADJUST, more.to_bytes(4, "big"))

    def widen(self, channel: asyncssh.SSHTCPChannel[bytes], window: int) -> None:
        """Let the host send `window` bytes ahead on an open channel, if those are more."""
        more = window - channel._init_recv_window
        if more > 0 and channel._send_state in SENDING:
            channel._init_recv_window = window
            self._grant(channel, more)

    def _deliver(self, channel: Any, pieces: list[memoryview]) -> None:
        if pieces and channel._session:
            channel._session.pieces_received(pieces)

    def _slowly(self, packet: bytes) -> None:
        self._inpbuf += packet
        super()._recv_data()

    def _finish_recv_packet(
        self, pkttype: int, seq: int, _task: Any = None, is_async: bool = False
    ) -> None:
        super()._finish_recv_packet(pkttype, seq, _task, is_async)
        if is_async:
            self._recv_data()

    # What goes out

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        cipher = self._send_encryption
        if type(cipher) is GCMEncryption:
            self._send_encryption = cipher = _Gcm(cipher)
        if type(cipher) is _Gcm and pkttype == MSG_IGNORE:
            return  # it protects ciphers of another kind
        if (
            type(cipher) is not _Gcm
            or pkttype <= MSG_KEX_LAST
            or not self._kex_complete
            or self._compressor
            or self._rekey_bytes_sent >= self._rekey_bytes
            or (self._rekey_seconds and time.monotonic() >= self._rekey_time)
        ):
            super().send_packet(pkttype, *args, handler=handler)
            return
        size = 1 + sum(map(len, args))
        padding = -(1 + size) % 16
        if padding < 4:
            padding += 16
        if len(self._random) < padding:
            self._random = os.urandom(4096)
        random, self._random = self._random[:padding], self._random[padding:]
        packet = b"".join((bytes((padding, pkttype)), *args, random))
        header = len(packet).to_bytes(4, "big")
        self._send(header + cipher.seal(header, packet))
        self._send_seq = (self._send_seq + 1) & 0xFFFF_FFFF
        self._rekey_bytes_sent += len(packet)
