"""The models loaded in a worker: the one that judges, changed between two series, and the one in shadow."""

import logging
from pathlib import Path

from headct.errors import BundleError
from headct.language import pgettext
from headct.network.bundle import Bundle, load_bundle
from headct.network.classifier import Classifier
from headct.safe_log import failure
from orthanc_plugin.drift import monitoring
from orthanc_plugin.errors import ConflictError
from orthanc_plugin.models import folders
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import model_history, queue, tables
from orthanc_plugin.store.database import Database

log = logging.getLogger(__name__)


class Serving:
    """Loads what the store says is in service.

    Raises:
        BundleError: neither the model in service nor any before it can be loaded, nor one that ships.
    """

    def __init__(self, worker: str, database: Database, settings: Settings) -> None:
        """Load the model in service; the first worker ever puts there what ships."""
        self._worker = worker
        self._database = database
        self._settings = settings
        self._shadow: Classifier | None = None
        self._classifier: Classifier | None = None
        self._default: Bundle | None = None
        problem = BundleError(pgettext("detail", "no model was ever in service"))
        try:
            self._default = load_bundle(folders.default(settings))
        except BundleError as error:
            problem = error
        try:
            with database.writing() as session:
                if self._default is not None:
                    model_history.ship(session, self._default.identity, queue.utcnow())
                    model_history.keep_licence(session, self._default.digest, self._default.licence)
                known = model_history.active(session) is not None
        except ConflictError:  # another worker started at the same moment, with the same program
            known = True
        if not known:
            raise problem
        self.follow()

    @property
    def classifier(self) -> Classifier:
        """The model that judges."""
        assert self._classifier is not None
        return self._classifier

    @property
    def digest(self) -> str:
        """Of the model that judges."""
        return self.classifier.bundle.digest

    def follow(self) -> None:
        """Load the model in service, if another one is loaded; one that cannot be loaded gives way.

        The model before keeps judging until the other is loaded as a whole.
        """
        while (wanted := self._wanted()) is not None and (
            self._classifier is None or wanted != self._classifier.bundle.digest
        ):
            try:
                self._classifier = self._load(wanted)
            except BundleError as error:
                log.warning("a model in service cannot be loaded: %s", failure(error))
                self._give_way(wanted, error)
        log.info("judging with %s", self.classifier.bundle.identity.name)
        with self._database.writing() as session:
            bundle = self.classifier.bundle
            model_history.loaded(session, self._worker, bundle.digest)
            model_history.keep_licence(session, bundle.digest, bundle.licence)
            monitoring.keep_reference(session, bundle.digest, bundle.contents.reference)

    def shadow(self, digest: str) -> Classifier | None:
        """The model in shadow; ``None`` when it cannot be loaded, which ends it."""
        if self._shadow is None or self._shadow.bundle.digest != digest:
            self._shadow = None
            try:
                self._shadow = self._load(digest)
            except BundleError as error:
                log.warning("a model in shadow cannot be loaded: %s", failure(error))
                with self._database.writing() as session:
                    model_history.drop_shadow(session, digest, str(error), queue.utcnow())
            with self._database.writing() as session:
                model_history.loading(session, self._worker, None)
        return self._shadow

    def _wanted(self) -> str | None:
        with self._database.reading() as session:
            return model_history.active(session)

    def _give_way(self, digest: str, error: BundleError) -> None:
        loaded = self._classifier.bundle if self._classifier is not None else None
        otherwise = [model.identity for model in (self._default, loaded) if model is not None]
        try:
            with self._database.writing() as session:
                changed = model_history.give_way(
                    session, digest, str(error), queue.utcnow(), otherwise=otherwise
                )
        except ConflictError:
            return  # somebody changed it at this moment: look again
        if not changed:
            raise error

    def _load(self, digest: str) -> Classifier:
        with self._database.writing() as session:
            model_history.loading(session, self._worker, digest)
            name = session.get_one(tables.Bundle, digest).folder_name
        folder = folders.find(self._settings, digest, name)
        try:
            return _load(folder, digest, self._settings.worker_threads)
        except OSError as error:
            raise BundleError(
                pgettext("detail", "{name} cannot be read ({kind})", name=name, kind=type(error).__name__)
            ) from error
        except BundleError as error:
            raise BundleError(error.sentence.filled(folder=name)) from error


def _load(folder: Path, digest: str, threads: int) -> Classifier:
    bundle = load_bundle(folder)
    classifier = Classifier(bundle, threads=threads)
    # Once more: the networks were read after its hash had been checked.
    if {bundle.digest, load_bundle(folder).digest} != {digest}:
        raise BundleError(pgettext("detail", "{folder} was altered while it was loaded", folder=folder))
    return classifier
