"""The profiles that ~/.aws/config and ~/.aws/credentials name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.session import Session

from cloudtui.aws.errors import translated
from cloudtui.model.login import Kind, Profile

DEFAULT = "default"
"""What AWS calls the profile that cloudtui writes as an empty name."""


def available() -> tuple[Profile, ...]:
    """Every profile, `default` first, then by name. Reads two files: call it in a thread.

    Raises:
        CredentialsProblem: a file is no configuration.
    """
    with translated("read the AWS profiles"):
        found = Session().full_config.get("profiles", {})
    names = sorted(found, key=lambda name: (name != DEFAULT, name.casefold()))
    return tuple(_profile(name, found[name]) for name in names)


def kind_of(name: str) -> Kind:
    """The kind of one profile; an empty name is the default one, an unknown one has none."""
    return next((p.kind for p in available() if p.name == (name or DEFAULT)), Kind.NONE)


def _profile(name: str, fields: Mapping[str, Any]) -> Profile:
    return Profile(
        name, str(fields.get("region", "")), _kind(fields), bool(fields.get("mfa_serial"))
    )


def _kind(fields: Mapping[str, Any]) -> Kind:
    """In the order in which botocore looks."""
    for mark, kind in (
        ("role_arn", Kind.ROLE),
        ("sso_account_id", Kind.SSO),
        ("sso_role_name", Kind.SSO),
        ("aws_access_key_id", Kind.KEYS),
        ("login_session", Kind.LOGIN),
        ("credential_process", Kind.PROCESS),
    ):
        if fields.get(mark):
            return kind
    return Kind.NONE
