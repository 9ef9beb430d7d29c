"""The screen: the only room that imports Textual."""

import os

# Textual reads both once, when it is imported: a lone Escape is told from a key sequence after
# 20 ms, and a pane may repaint 120 times a second.
os.environ.setdefault("ESCDELAY", "20")
os.environ.setdefault("TEXTUAL_FPS", "120")
