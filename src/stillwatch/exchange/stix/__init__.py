"""Warnings as STIX 2.1 objects: written, checked, read."""
