"""The desktop program: it arranges, connects and displays; the engine computes."""
