"""The screen of panes under its first name."""

from __future__ import annotations

from cloudtui.ui.screens.workspace import WorkspaceScreen as PaneScreen

__all__ = ["PaneScreen"]
