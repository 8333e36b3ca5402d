"""Stillwatch: defence of models sold through an API against unauthorised distillation."""

__version__ = "0.1.0"
