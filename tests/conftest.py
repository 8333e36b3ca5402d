"""Settings that hold for every test."""

from hypothesis import HealthCheck, settings

# Shared machines stall for seconds: no test is held to the clock, nor is the drawing of its inputs.
settings.register_profile("stillwatch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stillwatch")
