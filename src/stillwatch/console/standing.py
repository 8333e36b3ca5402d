"""How each campaign and account stands against what it would take to accuse it.

In: `Verdicts`. Out: bars in nats, the honest explanation that fits best, and sentences. No judgement is made here:
`accused` is taken from the verdict, and these words say why.
Source: e-BH, Wang and Ramdas 2022, "False discovery rate control with e-values".
"""

import math

from stillwatch.console.report import Report
from stillwatch.console.wording import FAMILIES, chance, is_scenario, listing, scenario_title, signed
from stillwatch.terms.verdict import AccountVerdict, Campaign, Evidence, Verdicts

SINGLE_FAMILY_FACTOR = 10.0
"""A campaign linked in one respect alone must pass at q divided by this."""
NEAR_ENOUGH = 0.05
"""Nats by which two printed figures may differ and still read the same."""


def accused_campaigns(verdicts: Verdicts) -> list[Campaign]:
    """Return the campaigns that are reported, strongest first."""
    return [campaign for campaign in verdicts.campaigns if campaign.accused]


def candidates(verdicts: Verdicts) -> list[Campaign]:
    """Return the groups that were looked at and not accused."""
    return [campaign for campaign in verdicts.campaigns if not campaign.accused]


def campaign_bar(verdicts: Verdicts, campaign: Campaign) -> float:
    """Return the nats that `campaign` has to reach: log(K / (q R)), K looked at and R accused.

    For a candidate R counts it as well, because it would be one more. `figures["thresholds"]`, a mapping from campaign
    id to nats, is believed where detection states it.
    """
    stated = verdicts.figures.get("thresholds") or {}
    if campaign.id in stated:
        return float(stated[campaign.id])
    rank = sum(other.accused for other in verdicts.campaigns) + (not campaign.accused)
    bar = math.log(max(verdicts.looked_at, rank, 1) / (verdicts.q * rank))
    return bar + math.log(SINGLE_FAMILY_FACTOR) if len(campaign.families) < 2 else bar


def account_bar(verdicts: Verdicts, *, accused: bool = False) -> float:
    """Return the nats at which one account is accused on its own evidence, log(1/alpha) at least.

    With a calibration every account of the log is looked at, so that e-BH asks for log(K / (q R)) where that is more:
    K accounts, R of them accused alone, and one more for an account that is not. Members of campaigns that pass alone
    raise R; it is not known how many, so the bar of an accused account is what the weakest of them shows at most.
    """
    least = math.log(1 / verdicts.alpha)
    looked_at = int(verdicts.figures.get("accounts") or 0)
    if not verdicts.calibrated or not looked_at:
        return least
    alone = [item.log_e for item in verdicts.accounts if item.accused and item.campaign is None]
    bar = math.log(looked_at / (verdicts.q * (len(alone) + (not accused)))) if alone or not accused else least
    return max(least, min([bar, *alone]) if accused else bar)


def home(verdicts: Verdicts, account: AccountVerdict) -> Campaign | None:
    """Return the group whose evidence the account's verdict rests on, or None where it stands alone."""
    return next((campaign for campaign in verdicts.campaigns if campaign.id == account.campaign), None)


def verdict_bar(verdicts: Verdicts, account: AccountVerdict) -> float:
    """Return the nats that the account's verdict has to reach: its group's bar, or that of one account."""
    group = home(verdicts, account)
    return campaign_bar(verdicts, group) if group else account_bar(verdicts, accused=account.accused)


def averaged(campaign: Campaign) -> bool:
    """Say whether the campaign's figure is below each explanation shown: it was found in more ways than one."""
    weighed = explanations(campaign.evidence)
    return bool(weighed) and weighed[0].log_e - campaign.log_e > NEAR_ENOUGH


def explanations(evidence: tuple[Evidence, ...]) -> list[Evidence]:
    """Return the honest explanations that were weighed, the best fitting (least nats) first."""
    honest = [item for item in evidence if not is_scenario(item.scenario)]
    return sorted(honest or evidence, key=lambda item: item.log_e)


def scenarios(evidence: tuple[Evidence, ...]) -> list[Evidence]:
    """Return the evidence by catalogue scenario, strongest first; empty where there are only explanations."""
    found = [item for item in evidence if is_scenario(item.scenario)]
    return sorted(found, key=lambda item: -item.log_e) if len(found) < len(evidence) else []


def strongest(evidence: tuple[Evidence, ...]) -> Evidence | None:
    """Return the piece of evidence with the most nats, or None; what is shown and never accuses is passed over."""
    accusing = (item for item in evidence if item.detail.get("accuses") != 0)
    return max(accusing, key=lambda item: item.log_e, default=None)


def clears(evidence: tuple[Evidence, ...]) -> list[str]:
    """Return what would clear it, each way once, in the order of the evidence."""
    return list(dict.fromkeys(item.clears for item in evidence if item.clears))


def links(campaign: Campaign) -> str:
    """Return what the members share, in words."""
    return listing([FAMILIES.get(family, family) for family in campaign.families])


def why_not_campaign(verdicts: Verdicts, campaign: Campaign) -> str:
    """Return why a group that was looked at was not accused."""
    bar = campaign_bar(verdicts, campaign)
    if campaign.log_e >= bar and "content" not in campaign.families:
        return f"Linked by {links(campaign)} alone: shared infrastructure without shared content never accuses."
    weighed = explanations(campaign.evidence)
    if campaign.log_e >= bar or not weighed:
        return "The evidence did not meet the conditions for an accusation."
    if weighed[0].log_e >= bar:
        return "Strong in one way of linking it; averaged over all of them the evidence stays short of the line."
    return f"{scenario_title(weighed[0].scenario)} holds: {weighed[0].null}"


def why_not_account(verdicts: Verdicts, account: AccountVerdict) -> str:
    """Return why an account that came close was not accused."""
    group = home(verdicts, account)
    if group:
        weighed = explanations(group.evidence)
        if not weighed or group.log_e >= campaign_bar(verdicts, group):
            return f"Linked to {group.id}, not accused. {why_not_campaign(verdicts, group)}"
        return f"Linked to {group.id}, not accused: “{scenario_title(weighed[0].scenario)}” holds."
    if not verdicts.calibrated and account.log_e >= account_bar(verdicts):
        return "Passes on its own figures, but an uncalibrated run accuses only by evidence across accounts."
    if account.log_e >= math.log(1 / verdicts.alpha):
        return f"Rare for one account; so many were looked at that {signed(account_bar(verdicts))} nats are needed."
    if account.log_e < 1:
        return "No evidence to speak of."
    return f"Up to {chance(account.log_e)} honest accounts come to look like this."


def accused_accounts(report: Report) -> list[tuple[int, float, str | None]]:
    """Return (account, nats, campaign id or None) for each accused account, once, campaign members first."""
    own = {account.account: account for account in report.verdicts.accounts}
    rows: dict[int, tuple[int, float, str | None]] = {}
    for campaign in accused_campaigns(report.verdicts):
        for account, log_e in zip(campaign.accounts, campaign.account_log_e, strict=True):
            rows.setdefault(account, (account, own[account].log_e if account in own else log_e, campaign.id))
    for verdict in report.verdicts.accounts:
        if verdict.accused:
            rows.setdefault(verdict.account, (verdict.account, verdict.log_e, verdict.campaign))
    return list(rows.values())


def lone_accounts(report: Report) -> list[AccountVerdict]:
    """Return the accounts accused on their own evidence, outside every reported campaign."""
    members = {account for campaign in accused_campaigns(report.verdicts) for account in campaign.accounts}
    return [item for item in report.verdicts.accounts if item.accused and item.account not in members]


def closest_honest(report: Report, limit: int = 20) -> list[AccountVerdict]:
    """Return the accounts that were not accused and came closest, nearest first."""
    accused = {account for account, _, _ in accused_accounts(report)}
    honest = [item for item in report.verdicts.accounts if item.account not in accused]
    return sorted(honest, key=lambda item: -item.log_e)[:limit]
