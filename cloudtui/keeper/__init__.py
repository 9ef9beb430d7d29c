"""The third front: a process of its own that keeps tunnels while consoles come and go."""
