"""The embedded cloud: a pretend EC2 and real local shells behind SSH servers."""
