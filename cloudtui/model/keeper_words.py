"""What a front and the keeper of tunnels say to each other: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from cloudtui.model import errors
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.tunnel import Direction, TunnelPhase, TunnelSpec, TunnelState

LONGEST = 1 << 20
"""Bytes of a line; longer ones end the conversation."""

_KINDS = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, CloudtuiError) and kind is not errors.Ambiguous
}
_MACHINE = (
    "id", "region", "name", "profile", "public_ip", "private_ip", "ipv6", "public_dns",
    "key_name", "image_id",
)  # fmt: skip


class Malformed(ValueError):
    """The other side says what this one does not understand."""


class Question(StrEnum):
    """What a connection may ask whoever sits in front."""

    HOST_KEY = "host key"
    PASSPHRASE = "passphrase"
    ANSWERS = "answers"


def line(message: Mapping[str, Any]) -> bytes:
    """A message as it goes over the socket."""
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def read(data: bytes) -> dict[str, Any]:
    """A line as a message.

    Raises:
        Malformed: it is none.
    """
    try:
        message = json.loads(data)
    except ValueError as error:
        raise Malformed("not JSON") from error
    if not isinstance(message, dict):
        raise Malformed("not an object")
    return message


def error_words(error: CloudtuiError | None) -> dict[str, str] | None:
    """A failure, to be raised again on the other side."""
    if error is None:
        return None
    kind = next(k.__name__ for k in type(error).__mro__ if k.__name__ in _KINDS)
    return {"kind": kind, "title": error.title, "detail": error.detail, "hint": error.hint}


def read_error(words: Any) -> CloudtuiError | None:
    """Raises Malformed."""
    if words is None:
        return None
    kind = _KINDS.get(_text(words, "kind"), CloudtuiError)
    return kind(_text(words, "title"), _text(words, "detail"), _text(words, "hint"))


def machine_words(instance: Instance) -> dict[str, str]:
    """What the keeper has to know of a machine to connect to it."""
    return {name: getattr(instance, name) for name in _MACHINE} | {"state": instance.state.value}


def read_machine(words: Any) -> Instance:
    """Raises Malformed."""
    try:
        state = State(_text(words, "state"))
    except ValueError as error:
        raise Malformed("no such state") from error
    told = {name: _text(words, name) for name in _MACHINE}
    return Instance(
        told["id"],
        told["region"],
        state,
        name=told["name"],
        profile=told["profile"],
        public_ip=told["public_ip"],
        private_ip=told["private_ip"],
        ipv6=told["ipv6"],
        public_dns=told["public_dns"],
        key_name=told["key_name"],
        image_id=told["image_id"],
    )


def spec_words(spec: TunnelSpec) -> dict[str, Any]:
    """A tunnel as it is wanted."""
    return {
        "direction": spec.direction.value,
        "listen_port": spec.listen_port,
        "host": spec.host,
        "port": spec.port,
        "bind": spec.bind,
    }


def read_spec(words: Any) -> TunnelSpec:
    """Raises Malformed."""
    try:
        direction = Direction(_text(words, "direction"))
    except ValueError as error:
        raise Malformed("no such direction") from error
    listen, port = _number(words, "listen_port"), _number(words, "port")
    if not (0 <= listen < 65_536 and 0 <= port < 65_536):
        raise Malformed("no such port")
    return TunnelSpec(direction, listen, _text(words, "host"), port, _text(words, "bind"))


def state_words(state: TunnelState) -> dict[str, Any]:
    """A tunnel as it stands."""
    found: dict[str, Any] = {}
    for field in fields(state):
        value = getattr(state, field.name)
        if isinstance(value, CloudtuiError):
            value = error_words(value)
        elif isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, StrEnum):
            value = value.value
        found[field.name] = value
    return found


def read_state(words: Any) -> TunnelState:
    """Raises Malformed."""
    try:
        retry_at, latency = words["retry_at"], words["latency"]
        return TunnelState(
            instance_id=_text(words, "instance_id"),
            label=_text(words, "label"),
            local_port=_number(words, "local_port"),
            remote_port=_number(words, "remote_port"),
            phase=TunnelPhase(_text(words, "phase")),
            since=datetime.fromisoformat(_text(words, "since")),
            error=read_error(words["error"]),
            bytes_in=_number(words, "bytes_in"),
            bytes_out=_number(words, "bytes_out"),
            direction=Direction(_text(words, "direction")),
            host=_text(words, "host"),
            bind=_text(words, "bind"),
            machine=_text(words, "machine"),
            connections=_number(words, "connections"),
            cuts=_number(words, "cuts"),
            latency=None if latency is None else float(latency),
            retry_at=datetime.fromisoformat(retry_at) if retry_at else None,
            problem=read_error(words["problem"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"no tunnel: {error}") from error


def _text(words: Any, key: str) -> str:
    try:
        value = words[key]
    except (KeyError, TypeError, IndexError) as error:
        raise Malformed(f"no {key}") from error
    if not isinstance(value, str):
        raise Malformed(f"{key} is no text")
    return value


def _number(words: Any, key: str) -> int:
    try:
        value = words[key]
    except (KeyError, TypeError, IndexError) as error:
        raise Malformed(f"no {key}") from error
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed(f"{key} is no number")
    return value
