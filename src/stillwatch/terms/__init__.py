"""The vocabulary: frozen records, ids, ports, the plugin catalogue, checks and errors."""
