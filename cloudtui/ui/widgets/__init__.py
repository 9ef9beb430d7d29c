"""Widgets: the machines table, the pane, the status line."""
