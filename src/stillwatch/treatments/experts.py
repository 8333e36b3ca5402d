"""Experts: an order to the engine to draw from a product of the model and a small proxy, so that students learn less.

In: a request. Out: the same with a signed order that names the proxy's share; the answer is not touched here.
The order is that of `watermark`, so that answers are marked as well: a rule names one of the two.
Left to `engines`: doing it, with `poe`; an engine without a proxy only marks. Source: "The Distillation Game",
arXiv:2605.22737, which mixes (1 - g) of the teacher's logits with g of a proxy's.
"""

from dataclasses import dataclass

from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.watermark import WatermarkOne


@dataclass(frozen=True, slots=True)
class Experts:
    """The catalogue's entry."""

    name: str = "experts"
    on_by_default: bool = False
    least: str = "perturb"
    cost: str = (
        "Tokens are drawn from a mixture with a weaker model's preferences: answers are worse, the more so the larger "
        "`treatments.experts_share`. Measured on SmolLM2-135M in docs/reference/treatments.md."
    )

    def begin(self, occasion: Occasion) -> WatermarkOne | None:
        """Return the treatment for one request; None without keys, or where the endpoint is not marked."""
        marks, share = occasion.marks, occasion.config.experts_share
        if marks is None or occasion.endpoint not in occasion.marked_endpoints:
            return None
        return WatermarkOne(marks.order(occasion.account, occasion.campaign, occasion.now, share), name=self.name)
