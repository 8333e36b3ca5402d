"""A marking server before llama.cpp: each token of an answer that is to be marked is chosen here."""
