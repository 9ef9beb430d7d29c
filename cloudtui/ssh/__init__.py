"""Remote machines: the only room that speaks SSH."""
