"""`stillwatch serve`: the gateway before a model server."""

from typing import Any

import click

from stillwatch.cli import options


@click.command()
@click.option("--upstream", metavar="URL", help="Model server, such as http://127.0.0.1:8000.")
@options.config
@click.option("--host", help="Address that callers reach.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port that callers reach.  [default: 8080]")
@click.option("--workers", type=click.IntRange(1, 1024), help="Worker processes.  [default: 1]")
@click.option("--admin-port", type=click.IntRange(0, 65535), help="Port of /metrics and /healthz.  [default: 9464]")
@options.state("Folder for keys, events and verdicts.")
@click.option("--enforce/--shadow", default=None, help="Act on rules, or record what they order.  [default: as set]")
@click.option("--log-json", is_flag=True, help="Say what happens as JSON, one object a line.")
def serve(**given: Any) -> None:
    """Stand before a model server: forward its API, take events, judge them, and act as policy says.

    Callers use keys of `stillwatch keys create`. Stop it with Ctrl-C or SIGTERM: answers under way end first, and no
    event is lost; a second signal, more than a second after the first, ends it at once. One state folder takes one
    gateway at a time. Exit code 0: stopped; 2: it could not start.
    """
    from stillwatch.app.serve import serve as run
    from stillwatch.app.settings import load_settings

    settings = load_settings(given["config"])
    settings = settings.changed("gateway", upstream=given["upstream"])
    settings = settings.changed(
        "serve", host=given["host"], port=given["port"], workers=given["workers"], admin_port=given["admin_port"]
    )
    if given["enforce"] is not None:
        settings = settings.changed("policy", shadow=not given["enforce"])
    run(settings, given["state"], as_json=given["log_json"])
