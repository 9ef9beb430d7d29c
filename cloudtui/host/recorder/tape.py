"""One kernel's recording: its messages become records, each told once."""

import html
import os
import re
import socket
import threading
import time
from typing import Any, Callable, Dict, Optional

from .keeping import Full, Log, read_json, write_json
from .servers import Kernel
from .wire import Broken, Locked, Message, Wire

TEXT_LIMIT = 1 << 20
"""Bytes of one text that are kept."""
IMAGE_LIMIT = 256 << 10
"""Bytes of an image, as base64, up to which it is kept itself and not only its size."""
_PROBE_SECONDS = 2.0
"""Between two looks whether a full disk has room again."""
_PROGRESS = 1.0
"""Seconds: of the states of a progress bar, one in each is kept."""


def record_of(message: Message) -> Optional[Dict[str, Any]]:
    """What is kept of a message; None for one that no cell printed."""
    kind, content = message.type, message.content
    record: Dict[str, Any] = {"id": message.id, "cell": message.parent}
    if message.size:
        record.update(kind="left_out", bytes=message.size)
    elif kind == "stream":
        record.update(kind="stream", name=content.get("name"), text=_short(content.get("text")))
    elif kind == "execute_input":
        record.update(kind="input", code=_short(content.get("code")), n=_count(content))
    elif kind in ("execute_result", "display_data", "update_display_data"):
        record.update(_shown(content))
        if kind == "execute_result":
            record.update(kind="result", n=_count(content))
        else:
            record.update(kind="display" if kind == "display_data" else "update")
    elif kind == "error":
        lines = content.get("traceback") or ()
        record.update(
            kind="error",
            name=_short(content.get("ename")),
            value=_short(content.get("evalue")),
            traceback=[_short(line) for line in lines][:200],
        )
    elif kind == "clear_output":
        record.update(kind="clear", wait=bool(content.get("wait")))
    elif kind == "status":
        state = str(content.get("execution_state"))
        if message.parent_type != "execute_request" and state in ("busy", "idle"):
            return None
        record.update(kind="status", state=state)
    else:
        return None
    return record


def _count(content: Dict[str, Any]) -> Optional[int]:
    count = content.get("execution_count")
    return count if isinstance(count, int) else None


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    if len(text) <= TEXT_LIMIT:
        return text
    half = TEXT_LIMIT // 2
    left = len(text) - 2 * half
    return "%s\n… %d characters left out …\n%s" % (text[:half], left, text[-half:])


def _shown(content: Dict[str, Any]) -> Dict[str, Any]:
    """The text of an output, and its images by type and size, small ones whole."""
    found: Dict[str, Any] = {}
    data = content.get("data")
    if isinstance(data, dict) and "text/html" in data:
        plain = data.get("text/plain") or ""
        if not plain or "<IPython.core.display" in plain:
            data = dict(data, **{"text/plain": _words_of(data["text/html"])})
    for kind, value in sorted(data.items()) if isinstance(data, dict) else ():
        if kind == "text/plain":
            found["text"] = _short("".join(value) if isinstance(value, list) else value)
            continue
        text = value if isinstance(value, str) else str(value)
        if kind.startswith("image/"):
            image: Dict[str, Any] = {"type": kind, "bytes": len(text) * 3 // 4}
            if len(text) <= IMAGE_LIMIT:
                image["data"] = text
            found.setdefault("images", []).append(image)
        else:
            found.setdefault("also", []).append({"type": kind, "bytes": len(text)})
    shown = (content.get("transient") or {}).get("display_id")
    if shown:
        found["display"] = str(shown)
    return found


def _words_of(markup: Any) -> str:
    """The words of HTML, a table's rows as lines: such as the losses that a Trainer shows."""
    text = "".join(markup) if isinstance(markup, list) else str(markup)
    text = re.sub(r"(?is)<(script|style)\b.*?</\1\s*>", "", text[:TEXT_LIMIT])
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"(?i)</t[dh]\s*>", "  ", text)
    text = re.sub(r"(?i)<br\b[^>]*>|</(?:tr|p|div|li|h\d|pre|table)\s*>", "\n", text)
    text = html.unescape(re.sub(r"<[^>]*>", "", text))
    return "\n".join(line.strip() for line in text.split("\n") if line.strip())


class Tape(threading.Thread):
    """Listens to one kernel until it ends."""

    def __init__(
        self, kernel: Kernel, home: str, changed: Callable[[], None], after: float
    ) -> None:
        super().__init__(daemon=True)
        self.kernel = kernel
        self.folder = os.path.join(home, kernel.id)
        self.log = Log(self.folder)
        self.since = time.time()
        self.state = "starting"
        """`recorded`, `starting`, `ended`, `locked` or `full`."""
        self.notebook = ""
        self.ended = False
        self._changed = changed
        self._after = after
        """When an earlier recorder was alive last; 0 when it ended in order, or there was none."""
        self._lock = threading.RLock()
        self._pending: Optional[Dict[str, Any]] = None
        self._missed = 0
        """Records that found no room, since one was written."""
        self._next_probe = 0.0
        self._kept_at = 0.0
        self._about: Dict[str, Any] = {}
        self._facts: Dict[str, Any] = {}

    def run(self) -> None:
        since, first = time.time(), True
        while True:
            info = self.kernel.info()
            if not info:
                break
            try:
                wire = Wire(info, "iopub")
            except Locked:
                self._be("locked")
                while self.kernel.info():
                    time.sleep(5.0)
                break
            except (OSError, EOFError, Broken, KeyError, ValueError):
                if time.time() - since > 30 and not self._lives():
                    break
                time.sleep(0.1 if time.time() - since < 10 else 1.0)
                continue
            met = self._heard(wire, info)
            self._be("recorded")
            if first:
                self._note("listening", after=self._after)
                self.about()
            else:
                self._note("restarted")
            first = False
            try:
                self._take(met)
                self._listen(wire)
            except (OSError, EOFError, Broken, ValueError):
                pass
            finally:
                wire.close()
            self.flush()
            since = time.time()
            self._be("starting")
        if not first:
            self._note("ended")
        self.log.close()
        self.ended = True
        self._be("ended")

    def _lives(self) -> bool:
        return self.kernel.pid is not None and os.path.exists("/proc/%d" % self.kernel.pid)

    def _be(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self._changed()

    def _heard(self, wire: Wire, info: Dict[str, Any]) -> Optional[Message]:
        """Wait until the kernel sends to this subscriber, which it does not tell: it is asked what
        it is, as every browser asks, and publishes that it answers. Without an answer (a kernel
        that only answers between cells) it does by now all the same."""
        try:
            control = Wire(info, "control")
        except (OSError, EOFError, Broken, Locked, KeyError, ValueError):
            return None
        try:
            control.send("kernel_info_request", {})
            return wire.receive(1.0)
        except (OSError, EOFError, Broken):
            return None
        finally:
            control.close()

    def _listen(self, wire: Wire) -> None:
        while True:
            try:
                message = wire.receive(_PROGRESS if self._pending else None)
            except socket.timeout:
                self.flush()
                continue
            self._take(message)

    def _take(self, message: Optional[Message]) -> None:
        record = record_of(message) if message else None
        if record:
            record["t"] = round(time.time(), 3)
            with self._lock:
                self._keep(record)

    def _keep(self, record: Dict[str, Any]) -> None:
        """Write the record; of a progress bar only what stands each second, and its end."""
        pending, self._pending = self._pending, None
        if pending is not None and not _overwrites(record, pending):
            self._write(pending)
        if _is_progress(record):
            if record["t"] - self._kept_at < _PROGRESS:
                self._pending = record
                return
            self._kept_at = record["t"]
        self._write(record)

    def flush(self) -> None:
        """Write what is held back."""
        with self._lock:
            pending, self._pending = self._pending, None
            if pending is not None:
                self._kept_at = pending["t"]
                self._write(pending)

    def _note(self, state: str, **facts: Any) -> None:
        with self._lock:
            self._write(dict(facts, t=round(time.time(), 3), kind="kernel", state=state))

    def retry(self) -> None:
        """See whether the disk takes records again."""
        with self._lock:
            if self.state == "full":
                self._write(None)

    def _write(self, record: Optional[Dict[str, Any]]) -> None:
        missed = self._missed + (record is not None)
        if self.state == "full" and not self._room_again():
            self._missed = missed
            return
        try:
            if self._missed:
                self.log.add({"t": round(time.time(), 3), "kind": "gap", "lost": self._missed})
                missed, self._missed = int(record is not None), 0
            if record is not None:
                self.log.add(record)
        except (Full, OSError):
            self._missed = missed
            self._be("full")
            return
        if self.state == "full":
            self._be("recorded")

    def _room_again(self) -> bool:
        now = time.monotonic()
        if now < self._next_probe:
            return False
        self._next_probe = now + _PROBE_SECONDS
        return self.log.has_room()

    def about(self, **facts: Any) -> None:
        """Tell, in a file beside the records, what kernel this is."""
        self._facts.update({key: value for key, value in facts.items() if value})
        if not os.path.isdir(self.folder):
            return
        known = self._about or read_json(os.path.join(self.folder, "about.json"))
        about = dict(known, **self._facts)
        if about == self._about:
            return
        try:
            write_json(os.path.join(self.folder, "about.json"), about)
        except OSError:
            return
        self._about = about


def _is_progress(record: Dict[str, Any]) -> bool:
    """Whether the text goes back to the beginning of its line, and is not the last to do so."""
    text = record.get("text")
    if record["kind"] == "update":
        return bool(record.get("display"))
    return bool(record["kind"] == "stream" and text and text[0] == "\r" and "\n" not in text)


def _overwrites(record: Dict[str, Any], pending: Dict[str, Any]) -> bool:
    """Whether nothing is lost of what a person sees when the pending record is left out."""
    if record["kind"] != pending["kind"] or record["cell"] != pending["cell"]:
        return False
    if record["kind"] == "update":
        return record.get("display") == pending.get("display")
    text, before = record["text"], pending["text"]
    own, other = text.rpartition("\r")[2].partition("\n")[0], before.rpartition("\r")[2]
    return bool(
        record["kind"] == "stream"
        and record["name"] == pending["name"]
        and text[:1] == "\r"
        and "\x1b" not in text + before
        and len(own) >= len(other)
    )
