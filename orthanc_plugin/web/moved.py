"""Addresses of the last release that have moved: bookmarks and scripts go on."""

from flask import Flask, redirect, request
from werkzeug.wrappers import Response as Redirection

from orthanc_plugin.web.guards import API

MOVED = {"watch": "drift", "reading-list": "labelling"}
"""Old name and new one, of a page and of its REST route alike."""


def install(app: Flask) -> None:
    """Lead from the old addresses to the new ones."""
    for base in ("/triage", API):
        for old in MOVED:
            app.add_url_rule(f"{base}/{old}", endpoint=f"moved{base}/{old}", view_func=_to_new_address)


def _to_new_address() -> Redirection:
    old = request.path.rpartition("/")[2]
    query = f"?{request.query_string.decode()}" if request.query_string else ""
    # Orthanc sends it as 301 or 307: either leads on, for all that moved is only read.
    return redirect(f"{MOVED[old]}{query}", code=301)
