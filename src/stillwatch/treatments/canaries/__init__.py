"""Canaries: harmless free choices, drawn in secret for one account or campaign, by which a copy gives itself away."""

from stillwatch.treatments.canaries.draw import Canary, drawn, opening_of
from stillwatch.treatments.canaries.table import TEMPLATES, template
from stillwatch.treatments.canaries.template import Template

__all__ = ["TEMPLATES", "Canary", "Template", "drawn", "opening_of", "template"]
