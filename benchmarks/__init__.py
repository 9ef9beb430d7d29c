"""Figures: `python -m benchmarks`; each module here measures one thing in processes of its own."""

import os

# What is installed has its bytecode beside it; so have the programs that are measured.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
