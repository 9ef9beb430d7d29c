"""What a pane prints, kept in a file of its user's alone."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path

from cloudtui.files.paths import expanded, state_dir
from cloudtui.model.errors import CloudtuiError


def suggested(name: str, now: datetime) -> Path:
    """A file of the state folder for a pane of that name."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "pane"
    return state_dir() / "logs" / f"{plain}-{now:%Y%m%d-%H%M%S}.log"


class PaneLog:
    """A new file, 0600, with all bytes as they came, escape sequences too (`less -R` reads it)."""

    def __init__(self, text: str) -> None:
        """Raises CloudtuiError when the file is there already or cannot be made."""
        self.path = expanded(text.strip())
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = open(os.open(self.path, flags, 0o600), "wb", buffering=0)  # noqa: SIM115, PTH123
        except FileExistsError as error:
            raise CloudtuiError(
                f"{self.path} is there already.", hint="Choose another name for the log."
            ) from error
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise CloudtuiError(f"No log can be written to {self.path}: {why}.") from error

    def write(self, data: bytes) -> str:
        """Why the log has ended, or nothing."""
        try:
            self._file.write(data)
        except OSError as error:
            self.close()
            return f"The log {self.path} has ended: {error.strerror}."
        return ""

    def close(self) -> None:
        self._file.close()
