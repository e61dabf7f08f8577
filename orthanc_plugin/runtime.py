"""Everything that runs inside Orthanc, started as one and stopped as one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headct import safe_log
from orthanc_plugin import settings as options
from orthanc_plugin.access.roles import asks_for_password
from orthanc_plugin.audit.keeping import Auditor
from orthanc_plugin.audit.notes import notes
from orthanc_plugin.audit.starts import Start
from orthanc_plugin.health.ends import Ends
from orthanc_plugin.intake.answering import Answering
from orthanc_plugin.intake.arrivals import Arrivals
from orthanc_plugin.intake.contents import Get
from orthanc_plugin.intake.keeper import Keeper, Put
from orthanc_plugin.intake.output import Output
from orthanc_plugin.intake.supervisor import Supervisor
from orthanc_plugin.intake.wsgi import Request, answer
from orthanc_plugin.recycling.fill import Limits
from orthanc_plugin.rounds import all_of
from orthanc_plugin.service import Triage
from orthanc_plugin.store.clock import ClockWatch
from orthanc_plugin.store.database import Database
from orthanc_plugin.vouching.keys import Keys
from orthanc_plugin.web import create_app


@dataclass(frozen=True, slots=True)
class Orthanc:
    """The server we live in, as far as plain functions need it."""

    version: str
    get: Get
    put: Put
    token: str
    """A secret with which a worker may use the REST interface until Orthanc ends."""


class Runtime:
    """Store, arrivals, supervisor and web application of one Orthanc.

    Raises:
        SettingsError: Wrong option.
        OSError, sqlalchemy.exc.DatabaseError: The store cannot be used.
    """

    def __init__(self, configuration: Mapping[str, Any], orthanc: Orthanc) -> None:
        self.settings = options.from_orthanc(dict(configuration))
        safe_log.set_level(self.settings.log_level)
        self.settings.storage.mkdir(parents=True, exist_ok=True)
        self.authenticated = asks_for_password(configuration)
        self.database = Database(self.settings.database_url)
        self.database.migrate()
        clock = ClockWatch(self.database, self.settings)
        self.supervisor = Supervisor(self.settings, self.database, clock, orthanc.token)
        self.ends = Ends(self.settings.storage)
        self.arrivals = Arrivals(orthanc.get, self.database, self.settings, clock)
        self.keeper = Keeper(orthanc.get, orthanc.put, self.database, self.settings, Limits.of(configuration))
        keys = Keys.open(self.settings)
        start = Start.of(self.settings, configuration, orthanc.version)
        self.auditor = Auditor(self.database, self.settings, keys.ring, notes=notes, start=start)
        self.triage = Triage(
            self.database,
            self.settings,
            supervisor=self.supervisor,
            arrivals=self.arrivals,
            orthanc_version=orthanc.version,
            authentication=self.authenticated,
            replaces_images=_replaces_images(configuration),
            keeper=self.keeper,
            keys_problem=keys.problem,
            ends=self.ends,
            auditor=self.auditor,
        )
        self._app = create_app(self.triage, self.settings.proxies)
        self._answering = Answering()

    def start(self) -> None:
        """Start all threads and processes; none where one cannot be started, for it will be tried again.

        Raises:
            SettingsError: Another Orthanc works on the store.
            OSError, RuntimeError: There is no room for its lock, or for another thread.
        """
        try:
            self.supervisor.start()  # first: it is refused where another Orthanc works on the store
            self.ends.start()
            self.arrivals.start()
            self.keeper.start()
            self.auditor.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop them."""
        all_of(
            self.ends.stop,
            self._answering.stop,
            self.keeper.stop,
            self.arrivals.stop,
            self.supervisor.stop,
            self.auditor.stop,
            self.database.close,
        )

    def answer(self, output: Output, uri: str, request: Mapping[str, Any]) -> None:
        """Answer a REST call."""
        asked = Request.from_orthanc(uri, request)
        self._answering.run(lambda: answer(self._app, asked, output, authenticated=self.authenticated))


def _replaces_images(configuration: Mapping[str, Any]) -> bool:
    # Words from Orthanc 1.13 on, before that true or false; false where nothing is said.
    return configuration.get("OverwriteInstances", False) in (True, "Always", "IfChanged")
