"""The scorecard: rows put together, as a table for terminals and as a page."""
