"""sso-oidc, sso and ec2 on one stub endpoint, and profiles that lead there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tests.moto_child import Request

Answer = tuple[int, str, str, Mapping[str, str]]

SESSION = """
[profile lab]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Research
region = eu-west-1
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-central-1
sso_registration_scopes = sso:account:access
"""
LEGACY = """
[profile lab]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-central-1
sso_account_id = 123456789012
sso_role_name = Research
region = eu-west-1
"""


IDENTITY = (
    "<GetCallerIdentityResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'>"
    "<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ann</Arn>"
    "<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


class Portal:
    """Answers as sso-oidc, sso and ec2 do. `said` is what each CreateToken in turn answers."""

    def __init__(
        self, *said: str, expires: int = 600, role: str = "ok", interval: float = 5
    ) -> None:
        self._said = list(said)
        self._interval = interval
        self._expires = expires
        self._role = role

    def __call__(self, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        match path:
            case "/client/register":
                return self._json(
                    clientId="client", clientSecret="shh", clientSecretExpiresAt=4102444800
                )
            case "/device_authorization":
                return self._json(
                    deviceCode="device",
                    userCode="ABCD-EFGH",
                    verificationUri="https://device.sso.example/",
                    verificationUriComplete="https://device.sso.example/?user_code=ABCD-EFGH",
                    expiresIn=self._expires,
                    interval=self._interval,
                )
            case "/token":
                said = self._said.pop(0) if self._said else ""
                if said:
                    return self._error(400, said)
                return self._json(
                    accessToken="token", tokenType="Bearer", expiresIn=28800, refreshToken="again"
                )
            case "/federation/credentials":
                sent = {name.lower(): value for name, value in request.headers.items()}
                if sent.get("x-amz-sso_bearer_token") != "token":
                    return self._error(401, "UnauthorizedException", "Session token not found")
                if self._role != "ok":
                    # Not in botocore's model, and what AWS says to a role that is not assigned.
                    return self._error(403, "ForbiddenException", "No access")
                later = datetime.now(UTC) + timedelta(hours=1)
                return self._json(
                    roleCredentials={
                        "accessKeyId": "ASIASSO",
                        "secretAccessKey": "s",
                        "sessionToken": "t",
                        "expiration": int(later.timestamp() * 1000),
                    }
                )
            case _ if "GetCallerIdentity" in request.body:
                return 200, IDENTITY, "text/xml", {}
            case _:
                listing = "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>"
                return 200, listing, "text/xml", {}

    def _json(self, **fields: object) -> Answer:
        return 200, json.dumps(fields), "application/json", {}

    def _error(self, status: int, name: str, message: str = "") -> Answer:
        """A failure of a service that speaks REST and JSON: its name stands in a header."""
        words = "_".join(re.findall("[A-Z][a-z]+", name.removesuffix("Exception"))).lower()
        fields = {"message": message} if message else {"error": words, "error_description": ""}
        return status, json.dumps(fields), "application/json", {"x-amzn-ErrorType": name}
