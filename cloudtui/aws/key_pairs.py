"""EC2's key pairs, and the one-time key of EC2 Instance Connect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from cloudtui.aws.clients import Amazon
from cloudtui.aws.errors import translated
from cloudtui.model.errors import CloudtuiError, NotFound, Refused
from cloudtui.model.instance import Instance
from cloudtui.model.key_pair import KeyPair, KeyType, NewKeyPair

KINDS = {"ssh-rsa": KeyType.RSA.value, "ssh-ed25519": KeyType.ED25519.value}
"""EC2's word for a type of public key."""


async def key_pairs(amazon: Amazon, region: str, name: str = "") -> tuple[KeyPair, ...]:
    """Every key pair of a region, or the one of that name.

    Raises:
        CloudtuiError: EC2 refuses, or was not reached.
    """
    with translated("list key pairs", region, amazon.profile):
        client: Any = await amazon.client("ec2", region)
        # A filter, because KeyNames fails when it is gone.
        only: dict[str, Any] = {"Filters": [{"Name": "key-name", "Values": [name]}]} if name else {}
        answer = await client.describe_key_pairs(IncludePublicKey=True, **only)
    return tuple(_pair(raw, region, amazon.profile) for raw in answer.get("KeyPairs", ()))


def _pair(raw: dict[str, Any], region: str, profile: str) -> KeyPair:
    return KeyPair(
        name=raw.get("KeyName", ""),
        region=region,
        id=raw.get("KeyPairId", ""),
        type=raw.get("KeyType") or KINDS.get((raw.get("PublicKey") or "").partition(" ")[0], ""),
        fingerprint=raw.get("KeyFingerprint", ""),
        public_key=(raw.get("PublicKey") or "").strip(),
        created=raw.get("CreateTime"),
        profile=profile,
    )


async def create(amazon: Amazon, region: str, name: str, kind: KeyType) -> NewKeyPair:
    """Let EC2 make a key pair; its private key is told this once.

    Raises:
        CloudtuiError: the name is taken, EC2 refuses, or was not reached.
    """
    with translated("create the key pair", region, amazon.profile), _about(name, region):
        client: Any = await amazon.client("ec2", region)
        raw = await client.create_key_pair(KeyName=name, KeyType=kind.value, KeyFormat="pem")
    made = _pair(raw | {"KeyType": kind.value}, region, amazon.profile)
    return NewKeyPair(made, raw["KeyMaterial"])


async def put(amazon: Amazon, region: str, name: str, public_key: str) -> KeyPair:
    """Import a public key, `TYPE BASE64`.

    Raises:
        CloudtuiError: the name is taken, EC2 refuses, or was not reached.
    """
    with translated("import the key pair", region, amazon.profile), _about(name, region):
        client: Any = await amazon.client("ec2", region)
        raw = await client.import_key_pair(KeyName=name, PublicKeyMaterial=public_key.encode())
    kind = KeyType.RSA if public_key.startswith("ssh-rsa ") else KeyType.ED25519
    known = {"KeyName": name, "KeyType": kind.value, "PublicKey": public_key}
    return _pair(raw | known, region, amazon.profile)


async def delete(amazon: Amazon, region: str, name: str) -> None:
    """Delete a key pair; one that is gone already is no failure.

    Raises:
        CloudtuiError: EC2 refuses, or was not reached.
    """
    with translated("delete the key pair", region, amazon.profile):
        client: Any = await amazon.client("ec2", region)
        await client.delete_key_pair(KeyName=name)


@contextmanager
def _about(name: str, region: str) -> Iterator[None]:
    """What EC2 says about names and keys, in words."""
    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        detail = f"{said.get('Code', '')}: {said.get('Message', '')}"
        match said.get("Code"):
            case "InvalidKeyPair.Duplicate":
                raise Refused(
                    f"There is a key pair {name} in {region} already.",
                    detail,
                    "Choose another name, or look at it with: cloudtui keys ls",
                ) from error
            case "InvalidKey.Format" | "InvalidKeyPair.Format":
                raise CloudtuiError(
                    "EC2 does not take this public key.",
                    detail,
                    "It takes ed25519 keys, and RSA keys of 1024, 2048 or 4096 bits.",
                ) from error
            case "KeyPairLimitExceeded":
                raise CloudtuiError(
                    f"The account's quota of key pairs in {region} is used up.",
                    detail,
                    "Delete one that no machine uses: cloudtui keys delete NAME",
                ) from error
        raise


async def send_public_key(amazon: Amazon, instance: Instance, user: str, public_key: str) -> None:
    """Let the user log in to the instance with this key for the next 60 s (Instance Connect).

    Raises:
        CloudtuiError: the instance or the account does not do that; the sentence says which.
    """
    region = instance.region
    with translated("use EC2 Instance Connect", region, amazon.profile):
        try:
            client = await amazon.client("ec2-instance-connect", region)
            await client.send_ssh_public_key(
                InstanceId=instance.id,
                InstanceOSUser=user,
                SSHPublicKey=public_key,
                AvailabilityZone=instance.zone,
            )
        except ClientError as error:
            said = error.response.get("Error", {})
            known = _instance_connect(said.get("Code", ""), instance)
            if known is None:
                raise
            raise type(known)(
                known.title, f"{said['Code']}: {said.get('Message', '')}", known.hint
            ) from error


def _instance_connect(code: str, instance: Instance) -> CloudtuiError | None:
    who = instance.label
    match code:
        case "AuthException":
            return Refused(
                f"Cannot use EC2 Instance Connect with {who}: the credentials do not allow it.",
                hint="Ask whoever runs the account to allow ec2-instance-connect:SendSSHPublicKey "
                "for this machine and login user.",
            )
        case "EC2InstanceNotFoundException":
            return NotFound(f"EC2 Instance Connect knows no machine {who}.")
        case "EC2InstanceStateInvalidException" | "EC2InstanceUnavailableException":
            return Refused(
                f"EC2 Instance Connect does not reach {who} in its present state.",
                hint="It has to be running; a minute after its start, try again.",
            )
        case "EC2InstanceTypeInvalidException":
            return Refused(
                f"{who} is a {instance.type}, a type that EC2 Instance Connect cannot reach."
            )
        case "InvalidArgsException":
            return CloudtuiError(
                f"EC2 Instance Connect did not take the login for {who}.",
                hint="Check the login user; name it with User in ~/.ssh/config.",
            )
        case "ThrottlingException":
            return CloudtuiError(
                "EC2 Instance Connect gets too many requests from this account.",
                hint="Try again in a minute.",
            )
    return None
