"""cloudtui: EC2 machines, Jupyter tunnels and remote sessions in one terminal console."""

__version__ = "0.1.0"
