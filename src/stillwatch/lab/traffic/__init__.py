"""Seeded traffic: real texts, timings and network identities composed into honest accounts and campaigns."""

from stillwatch.lab.traffic.compose import compose
from stillwatch.lab.traffic.corpus import Corpus, load_corpus
from stillwatch.lab.traffic.plan import (
    CampaignPlan,
    Traffic,
    TrafficPlan,
    Truth,
    default_campaigns,
    demo_plan,
    low_and_slow,
)
from stillwatch.lab.traffic.writers import write_litellm, write_openai

__all__ = [
    "CampaignPlan",
    "Corpus",
    "Traffic",
    "TrafficPlan",
    "Truth",
    "compose",
    "default_campaigns",
    "demo_plan",
    "load_corpus",
    "low_and_slow",
    "write_litellm",
    "write_openai",
]
