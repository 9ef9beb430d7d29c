"""Amazon: the only room that talks to AWS."""
