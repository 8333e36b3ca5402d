"""The scorecard as one page that needs nothing else."""

from stillwatch.lab.scorecard.card import Scorecard


def page_of(card: Scorecard) -> str:
    """Return the page."""
    return f"<pre>{card.plan}</pre>"
