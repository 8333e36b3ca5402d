"""Policy: rules as data turn a verdict into an action; nothing bites hard before a person said so."""

from stillwatch.policy.config import PlanLimit, PolicyConfig, read_policy
from stillwatch.policy.decide import decide
from stillwatch.policy.ladder import RULES
from stillwatch.policy.rule import Rule

__all__ = ["RULES", "PlanLimit", "PolicyConfig", "Rule", "decide", "read_policy"]
