"""How long ago something was: written by the browser, so that an answer stays the same while time passes."""

import re
from datetime import datetime

from markupsafe import Markup, escape

from orthanc_plugin.web import words

_AGE = re.compile(r'<time class="age-of" datetime="([^"]+)"></time>')


def age_of(since: datetime) -> Markup:
    """Where the browser writes, and goes on writing, how long ago that was."""
    return Markup('<time class="age-of" datetime="{}"></time>').format(since.isoformat())


def around(phrase: str, name: str, inside: Markup) -> Markup:
    """A phrase in which ``{name}`` was left, with something in its place."""
    before, _, after = phrase.partition(f"{{{name}}}")
    return escape(before) + inside + escape(after)


def with_ages(html: str, now: datetime) -> str:
    """A whole page as one reads it without scripts: with how old everything is."""

    def written(found: re.Match[str]) -> str:
        seconds = (now - datetime.fromisoformat(found[1])).total_seconds()
        span = words.duration(seconds).say(words.requested_language())
        return found[0].replace("></time>", f">{escape(span)}</time>")

    return _AGE.sub(written, html)
