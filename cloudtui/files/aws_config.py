"""What ~/.aws and the environment say about an account, read without asking AWS or botocore."""

from __future__ import annotations

import base64
import binascii
import configparser
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudtui.model.place import Profile

_TELLING = (
    "aws_account_id",
    "credential_process",
    "credential_source",
    "endpoint_url",
    "external_id",
    "ignore_configure_endpoint_urls",
    "login_session",
    "role_arn",
    "sso_account_id",
    "sso_region",
    "sso_role_name",
    "sso_start_url",
    "web_identity_token_file",
)
"""Settings of a profile that tell whose account it leads to; none of them is a secret."""
_ENVIRONMENT = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
_KINDS = (
    ("role_arn", "role"),
    ("sso_session", "sso"),
    ("sso_start_url", "sso"),
    ("login_session", "login"),
    ("credential_process", "process"),
    ("aws_access_key_id", "keys"),
)
"""What tells the kind of a profile, in the order in which they count."""
_DEEPEST = 8
"""Profiles that take their credentials from another one, one after the other."""

_Sections = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of a profile's account before AWS is asked."""

    key: str
    """Differs wherever the account or the endpoint may differ; empty when nothing tells the
    account, as with the role of the EC2 instance that cloudtui runs on."""
    region: str = ""
    """The home region: AWS_REGION, AWS_DEFAULT_REGION, then the profile's own."""


def environment_keys() -> str:
    """The variable whose keys are used while no profile is named, or nothing."""
    profile = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
    name = "AWS_ACCESS_KEY_ID"
    return name if os.environ.get(name) and not profile else ""


def account(profile: str, *, named: bool) -> Account:
    """The account of a profile; without `named` keys in the environment go before it.

    Files that cannot be read count as empty: whoever asks AWS tells what is wrong with them.
    """
    config, credentials = _files()
    facts: list[str] = [f"{name}={os.environ.get(name, '')}" for name in _ENVIRONMENT]
    access_key = os.environ.get("AWS_ACCESS_KEY_ID", "")
    own: list[str] = []
    if access_key and not named:
        own = [_owner(access_key)]
    else:
        own = list(_facts(profile or "default", config, credentials))
        own += [name for name in ("AWS_ROLE_ARN",) if os.environ.get(name)]
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    if not region:
        name = profile or "default"
        for sections in (config.get(f"profile {name}"), config.get(name), credentials.get(name)):
            region = region or (sections or {}).get("region", "")
    if not own:
        return Account("", region)
    if not (access_key and not named):
        endpoint = (config.get(f"profile {profile}") or config.get(profile or "default") or {}).get(
            "services", ""
        )
        facts += [f"{k}={v}" for k, v in config.get(f"services {endpoint}", {}).items()]
    digest = hashlib.sha256("\n".join((profile, *facts, *own)).encode(errors="replace"))
    return Account(digest.hexdigest()[:32], region)


def profiles() -> tuple[Profile, ...]:
    """Every profile of the two files, the default one first, then by name."""
    config, credentials = _files()
    names = {name.removeprefix("profile ") for name in config if _is_profile(name)}
    found = []
    for name in sorted(names | set(credentials), key=lambda name: (name != "default", name)):
        facts = {
            **credentials.get(name, {}),
            **config.get(name if name == "default" else f"profile {name}", {}),
        }
        kind = next((kind for setting, kind in _KINDS if setting in facts), "")
        found.append(Profile(name, facts.get("region", ""), kind))
    return tuple(found)


def _is_profile(section: str) -> bool:
    return section == "default" or section.startswith("profile ")


def _files() -> tuple[_Sections, _Sections]:
    home = Path.home() / ".aws"
    config = os.environ.get("AWS_CONFIG_FILE")
    credentials = os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
    return (
        _sections(Path(config).expanduser() if config else home / "config"),
        _sections(Path(credentials).expanduser() if credentials else home / "credentials"),
    )


def _sections(path: Path) -> _Sections:
    parser = configparser.RawConfigParser(default_section="", strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, RuntimeError, configparser.Error):
        return {}
    return {" ".join(name.split()): dict(parser.items(name)) for name in parser.sections()}


def _facts(profile: str, config: _Sections, credentials: _Sections) -> Iterator[str]:
    for _ in range(_DEEPEST):
        found = {
            **credentials.get(profile, {}),
            **config.get(profile, {} if profile != "default" else config.get("default", {})),
            **config.get(f"profile {profile}", {}),
        }
        key = credentials.get(profile, {}).get("aws_access_key_id") or found.get(
            "aws_access_key_id", ""
        )
        if key:
            yield _owner(key)
        for name in _TELLING:
            if name in found:
                yield f"{name}={found[name]}"
        session = config.get(f"sso-session {found.get('sso_session', '')}", {})
        if "sso_start_url" in session:
            yield f"sso_session={session['sso_start_url']}"
        source = found.get("source_profile", "")
        if not source or source == profile:
            return
        profile = source


def _owner(access_key: str) -> str:
    """The account that a temporary key belongs to, so that the next one counts as the same.

    Keys of AWS hold their account's number; a key of another make stands for itself.
    """
    if access_key.startswith("ASIA") and len(access_key) == 20:
        try:
            number = int.from_bytes(base64.b32decode(access_key[4:])[:6], "big")
        except (binascii.Error, ValueError):
            return access_key
        return f"account {(number & 0x7FFFFFFFFF80) >> 7:012d}"
    return access_key
