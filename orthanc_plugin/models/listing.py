"""The models on this machine as one looks at them: folders beside the history of the store."""

import functools
import operator
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from headct.language import _, pgettext, read_back
from orthanc_plugin.answer import LicensedBundleView, Words
from orthanc_plugin.models import comparison
from orthanc_plugin.models.folders import Offer
from orthanc_plugin.models.views import (
    FigureKind,
    FigureView,
    ModelChangeView,
    ModelState,
    ModelsView,
    ModelView,
    PromiseView,
)
from orthanc_plugin.states import ModelEvent
from orthanc_plugin.store import model_history
from orthanc_plugin.store.model_history import Standing
from orthanc_plugin.store.tables import Bundle, ModelChange, Worker

_ORDER = list(ModelState)
_FIGURES = {
    FigureKind.HAEMORRHAGE_AUC: ("haemorrhage", "auc"),
    FigureKind.SENSITIVITY: ("haemorrhage", "at_nested_cuts", "sensitivity"),
    FigureKind.SPECIFICITY: ("haemorrhage", "at_nested_cuts", "specificity"),
    FigureKind.ALERT_AUC: ("alert", "auc"),
}
"""Where each stands in a bundle's figures."""


def view(
    session: Session,
    offers: Sequence[Offer],
    promised: Mapping[str, PromiseView | Words] = MappingProxyType({}),
    *,
    may_change: bool,
) -> ModelsView:
    """All models: those in folders, and those that were in service once.

    Args:
        session: of one transaction.
        offers: the folders.
        promised: by digest what is promised, or why nothing is any more.
        may_change: whether who asks is an administrator.
    """
    changes = model_history.history(session)
    stands = model_history.derive(changes)
    known = {row.digest: row for row in session.scalars(select(Bundle))}
    found = session.execute(select(Worker.bundle, func.count()).group_by(Worker.bundle))
    workers = {digest: count for digest, count in found if digest is not None}
    listed = [_offered(offer, stands, changes, workers, promised) for offer in offers]
    here = {offer.bundle.digest for offer in offers if offer.bundle is not None}
    listed += [_missing(row, stands, changes, workers) for row in known.values() if row.digest not in here]
    return ModelsView(
        models=tuple(sorted(listed, key=lambda m: (_ORDER.index(m.state), m.id))),
        problem=problem(session),
        rollback_to=known[stands.before].folder_name if stands.before is not None else None,
        history=tuple(
            ModelChangeView(
                at=change.at,
                event=change.event,
                model=known[change.digest].folder_name,
                by=change.actor,
                reason=change.reason,
            )
            for change in reversed(changes)
        ),
        comparisons=comparison.comparisons(session),
        based_on=model_history.based_on(session),
        may_change=may_change,
    )


def problem(session: Session) -> Words | None:
    """That the model which was chosen does not judge, until a person chooses again."""
    changes = [c for c in model_history.history(session) if c.event in model_history.IN_SERVICE]
    if not changes or changes[-1].event is not ModelEvent.GAVE_WAY:
        return None
    before, last = changes[-2], changes[-1]
    instead, failed = (session.get_one(Bundle, c.digest).folder_name for c in (last, before))
    return Words.of(
        _(
            "{failed} could not be loaded ({why}); {instead} judges instead.",
            failed=failed,
            why=read_back(last.reason),
            instead=instead,
        )
    )


def active(session: Session) -> LicensedBundleView | None:
    """The model in service."""
    digest = model_history.active(session)
    row = session.get(Bundle, digest) if digest is not None else None
    return _bundle(row, in_service=True) if row is not None else None


def in_shadow(session: Session) -> LicensedBundleView | None:
    """The model in shadow."""
    began = model_history.shadow(session)
    return _bundle(session.get_one(Bundle, began.digest), in_service=False) if began is not None else None


def _bundle(row: Bundle, *, in_service: bool) -> LicensedBundleView:
    return LicensedBundleView(
        name=row.name,
        version=row.version,
        device_uid=row.device_uid,
        digest=row.digest,
        in_service=in_service,
        licence=row.licence,
        use=row.use,
    )


def _offered(
    offer: Offer,
    stands: Standing,
    changes: Sequence[ModelChange],
    workers: Mapping[str, int],
    promised: Mapping[str, PromiseView | Words],
) -> ModelView:
    bundle = offer.bundle
    if bundle is None:
        return ModelView(
            id=offer.name,
            name=offer.name,
            version="",
            device_uid="",
            digest="",
            in_service=False,
            state=ModelState.REFUSED,
            reason=Words.of(pgettext("why a model is refused", "{why}.", why=read_back(offer.refusal))),
            shipped=offer.shipped,
        )
    digest = bundle.digest
    said = promised.get(digest)
    return ModelView(
        id=offer.name,
        name=bundle.contents.name,
        version=bundle.contents.version,
        device_uid=bundle.device_uid,
        digest=digest,
        in_service=digest == stands.active,
        state=_state(digest, stands) or ModelState.AVAILABLE,
        **_put_there(digest, stands, changes),
        shipped=offer.shipped,
        workers=workers.get(digest, 0),
        figures=_figures(bundle.contents.figures),
        promise=said if isinstance(said, PromiseView) else None,
        no_promise=said if isinstance(said, Words) else None,
        licence=bundle.contents.licence,
        use=bundle.contents.use,
    )


def _missing(
    row: Bundle, stands: Standing, changes: Sequence[ModelChange], workers: Mapping[str, int]
) -> ModelView:
    """Of a model that was in service or in shadow and is in no folder as it was."""
    state = _state(row.digest, stands)
    return ModelView(
        id=row.folder_name,
        **_bundle(row, in_service=row.digest == stands.active).model_dump(),
        state=state or ModelState.GONE,
        reason=Words.of(_LOADED_ONLY if state is not None else _GONE),
        **_put_there(row.digest, stands, changes),
        workers=workers.get(row.digest, 0),
    )


_LOADED_ONLY = _("Its folder was deleted or altered: it works only where it is still loaded.")
_GONE = _("No folder holds it any more, or not as it was.")


def _state(digest: str, stands: Standing) -> ModelState | None:
    if digest == stands.active:
        return ModelState.ACTIVE
    return ModelState.SHADOW if digest == stands.shadow else None


def _put_there(digest: str, stands: Standing, changes: Sequence[ModelChange]) -> dict[str, Any]:
    """Since when and by whom a model is in service or in shadow."""
    state = _state(digest, stands)
    if state is None:
        return {}
    active = state is ModelState.ACTIVE
    by = [c for c in changes if c.digest == digest and (c.event in model_history.IN_SERVICE) is active]
    return {"since": by[-1].at, "by": by[-1].actor}


def _figures(figures: Mapping[str, Any]) -> tuple[FigureView, ...]:
    found = []
    for kind, path in _FIGURES.items():
        try:
            at = functools.reduce(operator.getitem, path, figures)
            found.append(FigureView(kind=kind, value=at["value"], low=at["low"], high=at["high"]))
        except (KeyError, TypeError, ValidationError):
            continue  # not measured, or written in another way
    return tuple(found)
