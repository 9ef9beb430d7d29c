"""What things are: frozen dataclasses and pure rules; no I/O."""
