"""Words in, lines out: one function a verb."""
