"""A real OpenSSH server for tests."""
