"""Which model judges in a stack that was started, and under which licence: in one line, as the server says.

What the start asked for is not always what judges: an administrator may have chosen.
"""

import time
from typing import Any

import httpx

from headct.orthanc_http import LIMITS
from headct.terms.licence import Licence, Use
from headct.wording import licence_words
from orthanc_plugin.models.views import ModelState
from orthanc_plugin.stack.running import LOOK_SECONDS, Stack
from orthanc_plugin.states import ModelEvent

PATIENCE_SECONDS = 60.0
"""A worker has loaded its model after two seconds, of a machine that does much else after some more."""
_API = "/triage/api/v1"


def words(stack: Stack) -> str:
    """The line, once a worker has loaded the model; where none does so for long, that it is not known."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with httpx.Client(
        base_url=stack.options.orthanc_url,
        auth=(stack.credentials.user, stack.credentials.password),
        timeout=5,
        trust_env=False,
        limits=LIMITS,
    ) as client:
        while time.monotonic() < deadline:
            if models := _loaded(client):
                return describe(models, research=stack.options.research)
            stack.look_after()
            time.sleep(LOOK_SECONDS)
    return "Model      none judges yet; the page Models says which will, and its licence"


def describe(models: dict[str, Any], *, research: bool) -> str:
    """The line for people.

    Args:
        models: as REST lists them, :class:`orthanc_plugin.models.views.ModelsView`; the first one judges.
        research: whether the stack was started for research.
    """
    first = models["models"][0]
    use = Use(first["use"])
    line = f"Model      {first['id']}: {licence_words(Licence(first['licence'], use))}"
    if not research or use is Use.RESEARCH:
        return line
    persons = {ModelEvent.ACTIVATED, ModelEvent.ROLLED_BACK}
    if any(change["event"] in persons for change in models["history"]):
        why = "an administrator chose this one"
    elif any(model["shipped"] and model["use"] == Use.RESEARCH for model in models["models"]):
        why = "another one was named, or cannot be loaded; see the page Models"
    else:
        why = "none for research only ships"
    return f"{line}\n           (--research changes nothing: {why})"


def _loaded(client: httpx.Client) -> dict[str, Any] | None:
    """The models, once the one in service is loaded by a worker of this start."""
    try:
        status, models = (client.get(f"{_API}/{route}") for route in ("status", "models"))
        if {status.status_code, models.status_code} != {httpx.codes.OK}:
            return None
        state, listed = status.json(), models.json()
    except (httpx.TransportError, ValueError):
        return None  # not up yet
    first = next(iter(listed["models"]), None)
    if first is None or first["state"] != ModelState.ACTIVE or not first["use"]:
        return None
    # Workers of an earlier start are forgotten before one of this start lives.
    here = state["workers_alive"] and first["workers"]
    return listed if here or not state["workers_wanted"] else None
