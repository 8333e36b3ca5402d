"""Readers of marks: tokens in, exact p-values out, with what random keys say of the same text beside them."""
