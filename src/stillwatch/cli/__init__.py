"""Doors: one file per command group; parse, call app, print, exit code."""

from stillwatch.cli.main import main

__all__ = ["main"]
