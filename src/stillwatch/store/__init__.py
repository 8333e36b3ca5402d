"""Journal of events, tables, retention, SQL; an edge."""
