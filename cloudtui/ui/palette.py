"""The command palette: the actions of the screen it was opened from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from cloudtui.ui.actions import Action, at, key_words
from cloudtui.ui.screens.area import Area


class ActionsProvider(Provider):
    """Every action that has a place here; one that cannot be done now says why when chosen."""

    def _actions(self) -> Iterator[tuple[str, Action, partial[None]]]:
        screen = self.screen
        if not isinstance(screen, Area):
            return
        keys = screen.cloudtui.keys
        for action in at(screen.WHERE):
            if action.palette:
                written = " ".join(key_words(key) for key in keys[action.id])
                words = f"{action.words}  {written}"
                yield words, action, partial(screen.action_do, action.id)

    async def discover(self) -> Hits:
        for words, action, run in self._actions():
            yield DiscoveryHit(words, run, help=action.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for words, action, run in self._actions():
            score = max(matcher.match(action.words), matcher.match(action.help) * 0.6)
            if score > 0:
                yield Hit(score, matcher.highlight(words), run, help=action.help)
