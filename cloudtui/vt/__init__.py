"""The terminal engine behind one small protocol."""
