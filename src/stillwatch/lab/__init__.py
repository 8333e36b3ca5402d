"""The lab: traffic composed from real texts, timings and networks; an edge."""
