"""The way back in when AWS wants a login or a code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudtui.core.inventory import Inventory

if TYPE_CHECKING:
    from cloudtui.aws.sso import DeviceLogin


class Logins:
    """Renews what a profile may do; whatever is under way goes on meanwhile."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    async def begin(self, profile: str) -> DeviceLogin:
        """Ask AWS for a code that the user confirms in the browser; then await its `finish`.

        Raises:
            CredentialsProblem: the profile has no SSO.
            CloudtuiError: AWS was not reached.
        """
        amazon = await self._inventory.amazon(profile)
        from cloudtui.aws import sso

        return await sso.begin(amazon)

    async def again(self, profile: str) -> None:
        """Read credentials anew and list again; a code that is needed is asked for."""
        amazon = await self._inventory.amazon(profile)
        amazon.renew()
        self._inventory.refresh()
