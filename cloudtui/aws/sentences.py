"""The parts that every sentence about a failed call shares."""

from __future__ import annotations

import re
from collections.abc import Mapping

import botocore.exceptions as b
from botocore.session import Session

from cloudtui.model.errors import CloudtuiError, CredentialsProblem


class Sentence:
    """The beginning that all sentences of one failed call share, and their usual next steps."""

    def __init__(self, doing: str, region: str, profile: str) -> None:
        self.region = region
        self.profile = profile
        self._start = f"Cannot {doing} in {region}" if region else f"Cannot {doing}"

    def error(
        self,
        kind: type[CloudtuiError],
        why: str,
        detail: str = "",
        hint: str = "",
        login: str = "",
    ) -> CloudtuiError:
        made = kind(f"{self._start}: {why}.", detail, hint)
        if isinstance(made, CredentialsProblem):
            made.login, made.profile = login, self.profile
        return made

    @property
    def whose(self) -> str:
        """The option that names the profile, with the space before it."""
        return f" --profile {self.profile}" if self.profile else ""

    @property
    def of_profile(self) -> str:
        return f"of profile {self.profile}" if self.profile else "in use"

    @property
    def renew(self) -> str:
        return (
            f"Log in again: aws sso login{self.whose}. "
            f"With long-lived keys: aws configure{self.whose}. Then try again."
        )

    @property
    def log_in(self) -> str:
        return (
            f"Press l in the console to log in, or run: aws sso login{self.whose}. Then try again."
        )

    try_again = "Try again in a minute."


_BLOB = re.compile(r"\s*Encoded authorization failure message: \S+")


def short(text: str, limit: int = 600) -> str:
    """One line of at most `limit` characters, without the blob that only AWS can read."""
    text = " ".join(_BLOB.sub("", text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def uses_sso(profile: str) -> bool:
    """Whether a login through the browser renews the profile's credentials."""
    profiles = _profiles_here()
    name, seen = profile or "default", set[str]()
    while name not in seen:
        seen.add(name)
        fields = profiles.get(name, {})
        if fields.get("sso_session") or fields.get("sso_start_url"):
            return True
        name = fields.get("source_profile", name)
    return False


def _profiles_here() -> Mapping[str, Mapping[str, str]]:
    try:
        found: Mapping[str, Mapping[str, str]] = Session().full_config.get("profiles", {})
    except (b.ConfigParseError, b.ProfileNotFound):
        return {}
    return found
