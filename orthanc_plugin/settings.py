"""Typed options, read from the section ``HeadCTTriage`` of Orthanc's configuration."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_pascal

from headct.errors import SettingsError
from headct.language import _
from headct.reports.seals import KEY_FILE, LIST_FILE
from orthanc_plugin.people import PersonSettings
from orthanc_plugin.validation import problems, web_address

SECTION = "HeadCTTriage"
ROOT = Path(__file__).resolve().parent.parent


class OpenPort(BaseModel):
    """A port that other machines can reach although most have no business there."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_pascal, populate_by_name=True)

    kind: Literal["DICOM", "HTTP"]
    port: int
    senders: tuple[str, ...] = ()
    """Scanners that may send, each as ``AET@ADDRESS``; without any, this machine alone."""


class Settings(BaseModel):
    """All options. In the configuration they are written in CamelCase: ``LongQuietSeconds``."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_pascal, populate_by_name=True)

    storage: Path
    """Folder of the store, the previews and the lock. Default: ``headct-triage`` in Orthanc's own."""
    database: str = ""
    """SQLAlchemy URL of the store. Default: SQLite in the storage folder."""
    bundle: Path | None = None
    """Folder of the model that judges until an administrator chooses one on the page. Default: the newest
    that ships with the program for any use."""
    research: bool = False
    """Until an administrator chooses one, rather the newest model that ships for research only, where one
    does: it may serve neither patients nor business. Counts where ``Bundle`` names none."""
    models: Path | None = None
    """Folder of the hospital's own models, each in a folder ``NAME-VERSION``. Default: ``models`` in the
    storage folder."""
    secrets: Path | None = None
    """Folder of the keys with which reports of reviews are sealed, and of the list of reviews: what tells,
    when the store is lost, which of the reports in Orthanc are ours. Default: ``secrets`` in the storage
    folder; ``headct up`` has it in the data folder, outside Orthanc's."""
    python: Path | None = None
    """Interpreter of the workers. Default: the one whose packages Orthanc itself uses."""
    orthanc_url: str = ""
    """Where workers reach Orthanc. Default: loopback, at Orthanc's own HTTP port."""

    workers: int = Field(default=1, ge=0, le=16)
    """Judging processes on this machine; 0 when workers run elsewhere."""
    worker_threads: int = Field(default=2, ge=1, le=64)
    """Threads of one judging process."""
    worker_megabytes: int = Field(default=4096, ge=1024)
    """Memory that one judging process may take. A series that needs more is *not analysed*. 31 images of 2048
    by 2048 took 0.8 GB, 6,000 thin ones as much; a compressed multi-frame file of a gigabyte takes 2.5."""
    worker_niceness: int = Field(default=19, ge=0, le=19)
    """Priority given up by workers, so that receiving images always comes first."""

    log_level: Literal["error", "warning", "info", "debug"] = "warning"
    """How much of what our own packages have to say is in the log. No level lets anything of a patient in."""

    quiet_seconds: float = Field(default=2.0, ge=0.5, le=60)
    """No new image for this long: what was found of the series is said. Looking begins up to 1.5 s before."""
    long_quiet_seconds: float = Field(default=60.0, ge=2, le=3600)
    """No new image for this long: an incomplete series is given up as *not analysed*."""
    lease_seconds: float = Field(default=60.0, ge=5, le=3600)
    """A worker silent for this long has lost its series."""
    series_limit_seconds: float = Field(default=600.0, ge=10, le=7200)
    """A worker that needs longer for one series is ended, which counts as a failed attempt."""
    max_attempts: int = Field(default=3, ge=1, le=10)
    """Failed attempts after which a series is *failed*."""
    sweep_seconds: float = Field(default=300.0, ge=5, le=86400)
    """How often Orthanc and the store are compared as a whole."""
    max_series_megabytes: int = Field(default=4096, ge=64)
    """A series with larger files than this is not fetched."""

    earlier_after_days: int = Field(default=0, ge=0)
    """Studies older than this go to *Earlier studies*: assessed, not queued. 0: off."""
    read_leave_after_hours: float = Field(default=24.0, ge=0)
    """A case leaves the worklist this long after persons read it; search and the list of its day find it. One
    that waits for anybody never leaves: unread, disputed, or open again. 0: read ones stay."""
    minimum_free_gigabytes: float = Field(default=2.0, ge=0.1)
    """Triage stops below this much free disk."""
    retention_days: int = Field(default=0, ge=0)
    """Previews older than this are deleted; those of alerts never. 0: kept until the series is deleted."""
    audit_years: int = Field(default=5, ge=2, le=100)
    """How long at least it is kept who did what, counted in the time that the program runs. Not under two:
    drift monitoring reads a year of it."""

    key_objects: bool = True
    """Write a key object selection beside the structured report."""
    annotations: bool = False
    """The annotation profile: draw what was taken for blood, as a DICOM segmentation beside the report. Off,
    because a device for triage puts cases in order and marks no place on an image (21 CFR 892.2080): a mark
    draws the eye, also past what was missed. A drawn region is no diagnosis. Counts for what is judged from
    then on."""
    report_language: Literal["en", "ja"] = "en"
    """Language of the summary in reports; their codes stay English."""
    forward_to: tuple[str, ...] = ()
    """Names of Orthanc's DICOM modalities that get the results too."""
    previews: bool = True
    """Render slices as PNG for the worklist page."""
    ohif_url: str = ""
    """OHIF viewer opened from the worklist page; the study's UID is appended."""

    open_ports: tuple[OpenPort, ...] = ()
    """Ports that ``headct up`` could not close to the network; the page says so."""
    proxies: tuple[str, ...] = ()
    """Addresses under which reverse proxies show Orthanc to browsers, such as ``https://pacs.example/orthanc``.
    What a proxy says of itself (``X-Forwarded-Proto``, ``-Host``, ``-Prefix``) counts where it is
    one of them."""

    people: dict[str, PersonSettings] = Field(default_factory=dict)
    """Who the logins of Orthanc are. A login not named here only looks."""

    @field_validator("proxies")
    @classmethod
    def _addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(web_address, proxies))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.long_quiet_seconds < self.quiet_seconds:
            raise ValueError(_("LongQuietSeconds is shorter than QuietSeconds"))
        if self.database:
            _check_url(self.database)
        for name in ("storage", "bundle", "models", "secrets", "python"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.is_absolute():
                raise ValueError(_("{name} must be an absolute path", name=to_pascal(name)))
        return self

    @property
    def database_url(self) -> str:
        """URL of the store."""
        return self.database or f"sqlite:///{self.storage / 'triage.sqlite'}"

    @property
    def database_path(self) -> Path | None:
        """The store's file, where it is SQLite."""
        from sqlalchemy.engine import make_url

        url = make_url(self.database_url)
        return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None

    @property
    def models_folder(self) -> Path:
        """Where the hospital's own models lie."""
        return self.models or self.storage / "models"

    @property
    def secrets_folder(self) -> Path:
        """Where keys and list lie that must outlive the store; a backup has all of it."""
        return self.secrets or self.storage / "secrets"

    @property
    def key_file(self) -> Path:
        """The keys of reports."""
        return self.secrets_folder / KEY_FILE

    @property
    def list_file(self) -> Path:
        """The list of reviews."""
        return self.secrets_folder / LIST_FILE

    @property
    def previews_folder(self) -> Path:
        """Where slices rendered for the page lie."""
        return self.storage / "previews"


def from_orthanc(configuration: dict[str, Any]) -> Settings:
    """Options from Orthanc's whole configuration.

    Raises:
        SettingsError: unknown name, wrong type or unsafe value; the message names the option, not its value.
    """
    section = dict(configuration.get(SECTION) or {})
    # Orthanc's own default, relative to its working folder like all its paths.
    storage = Path(str(configuration.get("StorageDirectory") or "OrthancStorage")).resolve()
    section.setdefault("Storage", str(storage / "headct-triage"))
    if "OrthancUrl" not in section:
        scheme = "https" if configuration.get("SslEnabled") else "http"
        section["OrthancUrl"] = f"{scheme}://127.0.0.1:{configuration.get('HttpPort', 8042)}"
    try:
        return Settings.model_validate(section)
    except ValidationError as error:
        raise SettingsError(problems(error, SECTION)) from None


def _check_url(database: str) -> None:
    """The database is one that SQLAlchemy knows, and outlives us."""
    from sqlalchemy.engine import make_url  # loaded where it is asked: `headct up` starts without it
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(database)
    except ArgumentError:
        raise ValueError(_("Database is not a database URL")) from None
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ValueError(_("Database must outlive the process: an SQLite in memory does not"))
