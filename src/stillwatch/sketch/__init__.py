"""Bounded, mergeable, keyed summaries of requests; core."""
