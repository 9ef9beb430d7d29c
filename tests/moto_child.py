"""A real moto server in a child process for tests."""
