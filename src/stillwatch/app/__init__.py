"""Wiring: settings and commands become objects here; the only room that knows all the others."""
