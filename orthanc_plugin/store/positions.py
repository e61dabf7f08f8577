"""How far Orthanc's logs were read."""

from sqlalchemy.orm import Session

from orthanc_plugin.store.tables import Position


def position(session: Session, log: str) -> int:
    """How far a log was read; 0 at first."""
    row = session.get(Position, log)
    return row.sequence if row else 0


def set_position(session: Session, log: str, sequence: int) -> None:
    """Remember it, in the transaction of what was read."""
    session.merge(Position(log=log, sequence=sequence))
