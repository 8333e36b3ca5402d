"""What a person can try while a run goes on: commands ready to copy, with the keys of made-up accounts in them.

In: a stage and whom to call as. Out: `Commands`.
"""

import shlex
from typing import Final

from stillwatch.app.runstage import Stage
from stillwatch.console.live import Commands

QUESTION: Final = "Name three uses of iron."


def commands(stage: Stage, member: str, campaign: str) -> Commands:
    """Return the commands for `member`, an account of `campaign`, and for an honest account."""
    program, state = stage.request.command, shlex.quote(str(stage.folder.live.state))
    kind = next(name for name in stage.cast.honest() if name in stage.keys)
    return Commands(
        decide=f"{program} decide confirm {campaign} --by you --reason 'read the report' --state {state}",
        member=_curl(stage, member), bystander=_curl(stage, kind),
        python=(
            f"python -c \"from openai import OpenAI; print(OpenAI(base_url='{stage.url}/v1', "
            f"api_key='{stage.keys[member]}').chat.completions.create(model='atlas-small', "
            f"messages=[dict(role='user', content='{QUESTION}')]).choices[0].message.content)\""
        ),
        standing=f"curl -s {stage.url}/v1/account/standing -H 'authorization: Bearer {stage.keys[member]}'",
        scan=f"{program} scan YOUR_LOGS; {program} serve --help; {program} demo",
    )  # fmt: skip


def _curl(stage: Stage, account: str) -> str:
    return (
        f"curl -s {stage.url}/v1/chat/completions -H 'authorization: Bearer {stage.keys[account]}' "
        f"-H 'content-type: application/json' "
        f"""-d '{{"model": "atlas-small", "messages": [{{"role": "user", "content": "{QUESTION}"}}]}}'"""
    )
