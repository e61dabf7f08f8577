"""Which model is in service and which in shadow: a history of changes, from which both are derived.

A model in service is put there by an administrator, or by the program while no person has chosen: the newest
that ships. A person's choice outlives updates of the program. A model that cannot be loaded gives way to the
one before it, which the history and the page say until a person chooses again; it is never tried in silence.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from headct.language import _, pgettext
from headct.terms.assessment import BundleIdentity
from headct.terms.licence import Licence, Use
from orthanc_plugin.errors import ConflictError
from orthanc_plugin.states import ModelEvent
from orthanc_plugin.store.standing import figures
from orthanc_plugin.store.tables import AuditEntry, Bundle, ModelChange, Series, ShadowAssessment, Worker

E = ModelEvent

IN_SERVICE = frozenset({E.SHIPPED, E.ACTIVATED, E.ROLLED_BACK, E.GAVE_WAY})
"""What changes the model in service; the others change the one in shadow."""
BY_PERSONS = frozenset({E.ACTIVATED, E.ROLLED_BACK})
PROGRAM = "triage"
"""The actor of changes that no person made."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a history comes to."""

    line: tuple[str, ...] = ()
    """Digests of the models in service one after the other, the present one last; a roll back shortens it."""
    last: ModelEvent | None = None
    """How the present one came into service."""
    by_hand: frozenset[str] = frozenset()
    """Digests of those that persons chose."""
    shipped: str | None = None
    """What the program chose last."""
    shadow: str | None = None
    number: int = 0
    """Of the last change."""

    @property
    def chosen(self) -> bool:
        """Whether a person ever chose."""
        return bool(self.by_hand)

    @property
    def active(self) -> str | None:
        """Digest of the model that is to judge; ``None`` until the first worker has started."""
        return self.line[-1] if self.line else None

    @property
    def before(self) -> str | None:
        """Digest of the model to which a roll back leads."""
        return self.line[-2] if len(self.line) > 1 else None


def derive(changes: Iterable[ModelChange]) -> Standing:
    """What a history comes to."""
    line: list[str] = []
    last = shipped = shadow = None
    by_hand, number = set(), 0
    for change in changes:
        number = change.id
        if change.event is E.SHADOW_BEGAN:
            shadow = change.digest
        elif change.event is E.SHADOW_ENDED:
            shadow = None
        else:
            last = change.event
            if change.event in BY_PERSONS:
                by_hand.add(change.digest)
            if change.event in {E.ROLLED_BACK, E.GAVE_WAY}:
                while line and line[-1] != change.digest:
                    line.pop()
            elif change.event is E.SHIPPED:
                shipped = change.digest
            if not line or line[-1] != change.digest:
                line.append(change.digest)
    return Standing(tuple(line), last, frozenset(by_hand), shipped, shadow, number)


def history(session: Session) -> list[ModelChange]:
    """All changes, the oldest first."""
    return list(session.scalars(select(ModelChange).order_by(ModelChange.id)))


def standing(session: Session) -> Standing:
    """How things stand."""
    return derive(history(session))


def active(session: Session) -> str | None:
    """Digest of the model that is to judge."""
    return session.scalar(
        select(ModelChange.digest)
        .where(ModelChange.event.in_(IN_SERVICE))
        .order_by(ModelChange.id.desc())
        .limit(1)
    )


def shadow(session: Session) -> ModelChange | None:
    """The beginning of the present shadow."""
    last = session.scalar(
        select(ModelChange)
        .where(ModelChange.event.not_in(IN_SERVICE))
        .order_by(ModelChange.id.desc())
        .limit(1)
    )
    return last if last is not None and last.event is E.SHADOW_BEGAN else None


def activate(
    session: Session, identity: BundleIdentity, *, actor: str, reason: str, seen: str | None, now: datetime
) -> None:
    """An administrator puts a model in service; ``seen`` is :func:`based_on` as it was shown.

    The one that is in service already is confirmed, if no person chose it.

    Raises:
        ConflictError: things changed since they were shown.
    """
    stands = _as_seen(session, seen)
    if stands.active == identity.digest and stands.last in BY_PERSONS:
        return
    _know(session, identity, now)
    _change(session, E.ACTIVATED, identity.digest, now, actor=actor, reason=reason)
    _end_own_shadow(session, identity.digest, actor, now)


def roll_back(
    session: Session, usable: Collection[str], *, actor: str, reason: str, seen: str | None, now: datetime
) -> None:
    """An administrator puts the model back in service that was there before.

    ``usable`` are the digests of the models that are here and unaltered.

    Raises:
        ConflictError: things changed since they were shown, there was none before, or it cannot be used.
    """
    before = _as_seen(session, seen).before
    if before is None:
        raise ConflictError(_("No model was in service before this one."))
    if before not in usable:
        name = session.get_one(Bundle, before).folder_name
        raise ConflictError(
            _("{name}, in service before, is in no folder any more or was altered.", name=name)
        )
    _change(session, E.ROLLED_BACK, before, now, actor=actor, reason=reason)
    _end_own_shadow(session, before, actor, now)


def begin_shadow(
    session: Session, identity: BundleIdentity, *, actor: str, reason: str, seen: str | None, now: datetime
) -> None:
    """An administrator has a model judge in shadow, in place of any other.

    Raises:
        ConflictError: things changed since they were shown, or it is the one in service.
    """
    stands = _as_seen(session, seen)
    if identity.digest == stands.active:
        raise ConflictError(_("This model is in service; a shadow is another one."))
    if identity.digest != stands.shadow:
        _know(session, identity, now)
        _change(session, E.SHADOW_BEGAN, identity.digest, now, actor=actor, reason=reason)


def end_shadow(session: Session, *, actor: str, reason: str, seen: str | None, now: datetime) -> None:
    """No model judges in shadow any more; nothing happens where none does.

    Raises:
        ConflictError: things changed since they were shown.
    """
    if (digest := _as_seen(session, seen).shadow) is not None:
        _change(session, E.SHADOW_ENDED, digest, now, actor=actor, reason=reason)


def ship(session: Session, identity: BundleIdentity, now: datetime) -> None:
    """A worker has started with this as the newest model that ships; a person's choice stays."""
    stands = standing(session)
    if not stands.chosen and stands.shipped != identity.digest:
        _know(session, identity, now)
        _change(session, E.SHIPPED, identity.digest, now)
        _end_own_shadow(session, identity.digest, PROGRAM, now)


def give_way(
    session: Session, digest: str, why: str, now: datetime, *, otherwise: Sequence[BundleIdentity] = ()
) -> bool:
    """A model in service cannot be loaded: the one before it judges instead, as :func:`_gives_way_to` says.

    Where there is none, it is the first other one of ``otherwise``. False when there is none either, and
    nothing was changed.
    """
    stands = standing(session)
    if stands.active != digest:
        return True  # another worker or an administrator was first
    instead = _gives_way_to(session, stands)
    if instead is None and (found := next((m for m in otherwise if m.digest != digest), None)) is not None:
        _know(session, found, now)
        instead = found.digest
    if instead is None:
        return False
    _change(session, E.GAVE_WAY, instead, now, reason=why)
    _end_own_shadow(session, instead, PROGRAM, now)
    return True


def drop_shadow(session: Session, digest: str, why: str, now: datetime) -> None:
    """A model in shadow cannot go on."""
    if standing(session).shadow == digest:
        _change(session, E.SHADOW_ENDED, digest, now, reason=why)


def keep_licence(session: Session, digest: str, licence: Licence) -> None:
    """Remember under which terms a model came: its folder may be gone when that is asked."""
    if (row := session.get(Bundle, digest)) is not None:
        row.licence, row.use = licence.text, licence.use


def based_on(session: Session) -> str:
    """Changes with every change."""
    return str(session.scalar(select(func.max(ModelChange.id))) or 0)


# --- Workers --------------------------------------------------------------------------------------


def loading(session: Session, worker: str, digest: str | None) -> None:
    """A worker begins to load a model, or has ended that."""
    if (row := session.get(Worker, worker)) is not None:
        row.loading = digest


def loaded(session: Session, worker: str, digest: str) -> None:
    """A worker judges with this model from now on."""
    if (row := session.get(Worker, worker)) is not None:
        row.bundle, row.loading = digest, None


def died_loading(session: Session, worker: Worker, now: datetime) -> None:
    """A worker was lost; if that happened over a model, the model gives way before it kills the next one."""
    if worker.loading is not None:
        why = str(pgettext("detail", "the judging process was lost while it was loaded"))
        give_way(session, worker.loading, why, now)
        drop_shadow(session, worker.loading, why, now)


# --- Inside ---------------------------------------------------------------------------------------


def _as_seen(session: Session, seen: str | None) -> Standing:
    stands = standing(session)
    if seen is not None and seen != str(stands.number):
        raise ConflictError(_("The models were changed since they were shown; look again."))
    return stands


def _gives_way_to(session: Session, stands: Standing) -> str | None:
    """The model before the one in service.

    After one for any use none for research only, unless a person once chose that: the program was started
    for research when it put it there, and need not be now.
    """
    failed, *earlier = reversed(stands.line)
    for_research = {row.digest for row in session.scalars(select(Bundle).where(Bundle.use == Use.RESEARCH))}
    passed_over = set() if failed in for_research else for_research - stands.by_hand
    return next((digest for digest in earlier if digest not in {failed, *passed_over}), None)


def _know(session: Session, identity: BundleIdentity, now: datetime) -> None:
    if session.get(Bundle, identity.digest) is None:
        session.add(
            Bundle(
                digest=identity.digest,
                name=identity.name,
                version=identity.version,
                device_uid=identity.device_uid,
                first_used=now,
            )
        )
        session.flush()


def _end_own_shadow(session: Session, digest: str, actor: str, now: datetime) -> None:
    """A model in service is not its own shadow."""
    if standing(session).shadow == digest:
        _change(session, E.SHADOW_ENDED, digest, now, actor=actor)


def _shadowed(digest: str) -> Select[Any]:
    """Studies of which a model in shadow said something: it counts no longer, or again."""
    of_model = select(ShadowAssessment.series_id).where(ShadowAssessment.bundle == digest)
    return select(Series.study_id).where(Series.id.in_(of_model))


def _change(
    session: Session, event: ModelEvent, digest: str, now: datetime, *, actor: str = PROGRAM, reason: str = ""
) -> None:
    before = standing(session)
    number = before.number + 1
    for shadow_of in {before.shadow, digest} if event not in IN_SERVICE else set():
        if shadow_of is not None:
            figures.outdate(session, _shadowed(shadow_of))
    session.add(ModelChange(id=number, at=now, event=event, digest=digest, actor=actor, reason=reason))
    try:
        session.flush()
    except IntegrityError:
        raise ConflictError(_("The models were changed at the same moment; look again.")) from None
    detail = {"event": event.value, "bundle": digest, "change": number}
    session.add(AuditEntry(at=now, event="model_changed", actor=actor, detail=detail))
