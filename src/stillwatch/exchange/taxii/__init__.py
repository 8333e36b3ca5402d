"""TAXII 2.1: the hub that members read and write, and the member's client."""
