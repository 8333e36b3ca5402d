"""Commitments, Merkle log, signatures, timestamps: what shows a stranger what was there when."""
