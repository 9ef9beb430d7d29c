"""What tells this computer, and this user of it, from others; made once and kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import socket

from cloudtui.files import paths
from cloudtui.files.atomic import write_atomically

KEY_BYTES = 32


def computer() -> str:
    """`HOSTNAME-3f9c2a71d04b`, the same in every run.

    Raises:
        OSError: it cannot be kept.
    """
    file = paths.state_dir() / "computer"
    try:
        known = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        known = ""
    if not known:
        host = re.sub(r"[^A-Za-z0-9-]+", "-", socket.gethostname().partition(".")[0]).strip("-")
        known = f"{host or 'computer'}-{secrets.token_hex(6)}"
        write_atomically(file, f"{known}\n".encode())
    return known


def seal(*words: str) -> str:
    """What only this user of this computer can say of these words: they can be left with a host,
    which cannot change one of them unnoticed.

    Raises:
        OSError: the key cannot be kept.
    """
    file = paths.state_dir() / "seal"
    try:
        key = file.read_bytes()
    except OSError:
        key = b""
    if len(key) != KEY_BYTES:
        key = secrets.token_bytes(KEY_BYTES)
        write_atomically(file, key)
    return hmac.new(
        key, "\0".join(words).encode(errors="surrogateescape"), hashlib.sha256
    ).hexdigest()
