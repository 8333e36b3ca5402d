"""A dossier as one page in HTML that needs nothing else and runs nothing.

In: the dossier's records. Out: HTML with inline style; the same bytes for the same records.
Left to `dossiersections`: what it says. Left to the template: how it looks.
"""

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from stillwatch.console.dossiersections import DossierRecords, headline, sections
from stillwatch.console.wording import safe


def dossier_html(records: DossierRecords) -> str:
    """Return the page; every name and word is escaped, control and direction characters are spelt out."""
    style = files("stillwatch.console").joinpath("static/dossier.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    env = Environment(
        loader=PackageLoader("stillwatch.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=lambda value: safe(value) if type(value) is str else value,
    )  # fmt: skip
    return env.get_template("dossier.html").render(
        style=style, style_hash=f"sha256-{digest}", headline=headline(records), sections=sections(records),
        facts=records.facts, protocol=records.protocol,
    )  # fmt: skip
