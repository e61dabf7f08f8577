"""What a command on this machine did, told to the audit past Orthanc's process, which may not even run.

An entry is added and no more: whichever stack keeps the chain gives it its place, at its next start at the
latest.
"""

import os
import pwd

from sqlalchemy.exc import SQLAlchemyError

from headct.safe_log import failure
from orthanc_plugin.audit import chain
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import queue
from orthanc_plugin.store.database import Database


def tell(settings: Settings, event: str, **detail: str | bool) -> str | None:
    """Add an entry that names the user of this machine who does it; why that cannot be done, or ``None``.

    Args:
        settings: of the stack.
        event: in the past tense.
        detail: what else tells one from another.
    """
    try:
        database = Database(settings.database_url)
        try:
            with database.writing() as session:
                chain.add(session, event, queue.utcnow(), actor="", user=_user(), **detail)
        finally:
            database.close()
    except (SQLAlchemyError, OSError) as error:
        return failure(error)
    return None


def _user() -> str:
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # as in a container
        return str(number)
