"""Choosing one machine, or the groups of one, from a list that typed letters filter."""

from __future__ import annotations

from cloudtui.ui.screens.places import ChoosePlaces


class ChooseOne(ChoosePlaces):
    """The answer is the key of the row under the cursor."""

    HINT = "Enter chooses   Esc cancels"

    def action_mark(self) -> None:
        """There are no marks."""

    def action_agree(self) -> None:
        if self._key is not None:
            self.dismiss((self._key,))


class ChooseSome(ChoosePlaces):
    """The answer is the keys marked, which may be none."""

    HINT = "Space marks   Enter shows what would change   Esc cancels"

    def action_agree(self) -> None:
        self.dismiss(tuple(entry.key for entry in self._entries if entry.key in self._marked))
