"""Private matching: RFC 9497 through two notaries in series."""
