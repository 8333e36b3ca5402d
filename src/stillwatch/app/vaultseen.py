"""What the watcher says of the vault, for `stillwatch status` and `vault status`.

In: `run/vault.json`. Out: `VaultStatus`, and one line in words. Says what was so when it was written.
"""

from pathlib import Path

import msgspec

from stillwatch.app.vaultkeeper import STATUS_NAME, VaultStatus


def vault_seen(state: Path) -> VaultStatus | None:
    """Return what the watcher said last; None where none ran, or its word cannot be read."""
    try:
        return msgspec.json.decode((state / "run" / STATUS_NAME).read_bytes(), type=VaultStatus)
    except (OSError, msgspec.MsgspecError):
        return None


def vault_line(seen: VaultStatus | None) -> str:
    """Return it in words.

    >>> vault_line(None), vault_line(VaultStatus())
    ('off: no watcher ran', 'off: no text is kept')
    >>> vault_line(VaultStatus(key="ab", confirmed=True, kept=3, failed=2, problem="OSError"))
    'on: confirmed accounts; 3 answers kept, 2 lost (OSError)'
    """
    if seen is None:
        return "off: no watcher ran"
    if not seen.key:
        return "off: no text is kept" + (f"; {seen.problem}" if seen.problem else "")
    what = [f"{100.0 * seen.share:g} % of answers"] if seen.share else []
    what += ["confirmed accounts"] if seen.confirmed else []
    what += ["twin answers"] if seen.twins else []
    full = f", {seen.full:,} left out: full" if seen.full else ""
    lost = f", {seen.failed:,} lost ({seen.problem})" if seen.failed else ""
    return f"on: {' and '.join(what)}; {seen.kept:,} answers kept{full}{lost}"
