"""Pages for analysts: a finished scan as HTML, terminal text, CSV and JSON.

In: one `Report`. Out: text; this room writes no file and asks nothing of the network.
Left to `app`: filling the `Report` and putting the pages where the user wants them.
"""

from stillwatch.console.explain import render_explain
from stillwatch.console.export import to_json, write_csv
from stillwatch.console.page import render_html
from stillwatch.console.report import CoverageLine, Edge, ErrorRates, InputFile, MeasuredRate, Prices, Report
from stillwatch.console.terminal import render_text

__all__ = [
    "CoverageLine",
    "Edge",
    "ErrorRates",
    "InputFile",
    "MeasuredRate",
    "Prices",
    "Report",
    "render_explain",
    "render_html",
    "render_text",
    "to_json",
    "write_csv",
]
