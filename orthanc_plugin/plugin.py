"""The script Orthanc loads, and the only module that imports ``orthanc``.

It can never stop Orthanc: only the standard library is imported here, all else is started behind one guard.
When triage cannot start, Orthanc stores images as ever and ``/triage/`` says why.
"""

import html
import json
import logging
import os
import re
import site
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orthanc

ROOT = Path(__file__).resolve().parent.parent
ROUTE = "/triage"
RETRY_SECONDS = 10
NO_DICOM = b"nested too deeply"
"""What Orthanc gets to parse instead of a file that would end it: no DICOM, so whoever sent it is told of a
failure. Where a callback has an image dropped, C-STORE answers success. The page *Import images* knows it by
its size."""
UNKNOWN_RESOURCE = (7, 17)
"""Orthanc's error codes InexistentItem and UnknownResource."""

PAGE = """<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8"><meta http-equiv="refresh" content="10">
<title>{title}</title></head>
<body style="font-family: sans-serif; max-width: 40em; margin: 3em auto">
<h1>{title}</h1>
<p>{meanwhile}</p>
<p><strong>{reason}</strong></p>
</body></html>"""


def _(message: str, **figures: object) -> Callable[[Any], str]:
    """Words by language; English where even the catalogue cannot be loaded."""

    def say(language: Any) -> str:
        try:
            from headct.language import Phrase

            return Phrase(message, figures).say(language)
        except Exception:  # whatever keeps triage from starting must still be said
            return message.format(**figures)

    return say


def language_of(request: dict[str, Any]) -> str:
    """The language of who asks: of the address, of the cookie of our pages, of the browser, else English."""
    headers = request.get("headers", {})
    cookies = re.findall(r"\bheadct_language=(\w+)", headers.get("cookie", ""))
    wishes = [request.get("get", {}).get("lang"), *cookies[-1:]]
    wishes += re.findall(r"\b(?:en|ja)\b", headers.get("accept-language", ""))
    return next((wish for wish in wishes if wish in {"en", "ja"}), "en")


class Triage:
    """Starts the rest, tries again while that fails, and answers for it meanwhile."""

    def __init__(self) -> None:
        self.problem = _("Triage is starting.")
        self.runtime: Any = None
        self.token = ""
        """With which workers use Orthanc until it ends, one for all."""
        self.version = ""
        """Of Orthanc."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._start, name="triage-start", daemon=True)

    def start(self) -> None:
        """Begin to start; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End everything that was started; who asks meanwhile is told so."""
        self._stopping.set()
        self._thread.join(timeout=20)
        runtime, self.runtime, self.problem = self.runtime, None, _("Triage is ending.")
        if runtime is not None:
            runtime.stop()

    def _start(self) -> None:
        while not self._stopping.is_set():
            try:
                self.runtime = self._started()
            except BaseException as error:  # SystemExit from a library must not pass either
                problem = describe(error)
                if problem("en") != self.problem("en"):
                    orthanc.LogError(f"Triage cannot start: {problem('en')} {failure(error)}")
                self.problem = problem
                self._stopping.wait(RETRY_SECONDS)
            else:
                orthanc.LogWarning("Triage is running")
                return

    def _started(self) -> Any:
        from orthanc_plugin.runtime import Orthanc, Runtime

        runtime = Runtime(
            json.loads(orthanc.GetConfiguration()),
            Orthanc(
                version=self.version,
                get=get,
                put=orthanc.RestApiPut,
                token=self.token,
            ),
        )
        runtime.start()
        return runtime

    def answer(self, output: Any, uri: str, request: dict[str, Any]) -> None:
        """Answer a call under ``/triage``."""
        if self.runtime is not None:
            self.runtime.answer(output, uri, request)
            return
        language = language_of(request)
        output.SetHttpHeader("Content-Language", language)
        if uri.startswith(f"{ROUTE}/api/"):
            body = json.dumps({"code": "unavailable", "message": self.problem(language)})
            output.SetHttpHeader("Content-Type", "application/json")
            send_status(output, 503, body)
            return
        output.SetHttpHeader("Cache-Control", "no-store")
        meanwhile = (
            _(
                "Images are received and stored as always. No urgency is given: see every head CT in order of"
                " arrival."
            )
            if can_store()
            else _(
                "No image is stored: scanners are refused and have to send again. What is here can be read."
            )
        )
        page = PAGE.format(
            language=language,
            title=html.escape(_("Triage is not running")(language)),
            meanwhile=html.escape(meanwhile(language)),
            reason=html.escape(self.problem(language)),
        )
        output.AnswerBuffer(page.encode(), "text/html; charset=utf-8")


def can_store() -> bool:
    """Whether there is room for an image where Orthanc keeps them; true where that is not known."""
    try:
        where = json.loads(orthanc.GetConfiguration()).get("StorageDirectory", "OrthancStorage")
        found = os.statvfs(where)
    except Exception:  # they are kept elsewhere
        return True
    full = found.f_bavail * found.f_frsize < 2**20 or bool(found.f_files and found.f_favail < 16)
    return not (full or found.f_flag & os.ST_RDONLY)


def orthanc_version() -> str:
    """Orthanc's version, of which it only tells whether it is at least another one."""
    found = [0, 0, 0]
    for place in range(3):
        while found[place] < 99 and orthanc.CheckVersionAdvanced(
            *(number + (at == place) for at, number in enumerate(found))
        ):
            found[place] += 1
    return "mainline" if found[0] == 99 else ".".join(map(str, found))


def get(path: str) -> Any:
    """GET of Orthanc's REST interface, parsed; ``None`` when there is no such resource."""
    try:
        return json.loads(orthanc.RestApiGet(path))
    except orthanc.OrthancException as error:
        if error.args and error.args[0] in UNKNOWN_RESOURCE:
            return None
        raise


def send_status(output: Any, status: int, body: str) -> None:
    """Answer with another status than 200."""
    from orthanc_plugin.intake import output as answers

    answers.send_status(output, status, body)


def describe(error: BaseException) -> Callable[[Any], str]:
    """What is wrong, for the person who can put it right; built from what cannot name a patient."""
    if isinstance(error, ModuleNotFoundError):
        return _(
            "The Python package {name} is missing: the virtual environment is absent or incomplete.",
            name=error.name,
        )
    try:
        from orthanc_plugin.system_words import words_of
    except Exception:  # our own packages are not there
        if isinstance(error, OSError):
            return _("{what}: {where}", what=error.strerror, where=error.filename)
        return _("Unexpected {kind}.", kind=type(error).__name__)
    sentence: Callable[[Any], str] = words_of(error).say
    return sentence


def failure(error: BaseException) -> str:
    """What the log says of an error: never its message, which may name a patient."""
    try:
        from headct import safe_log

        return safe_log.failure(error)
    except Exception:  # our own packages are not there, which is what the log is to say
        return type(error).__name__


class OrthancLog(logging.Handler):
    """Our packages' log into Orthanc's."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line; of an exception only type and frames."""
        try:
            text = f"{record.name}: {record.getMessage()}"
            if record.exc_info and record.exc_info[1] is not None:
                text += f" ({failure(record.exc_info[1])})"
            write = orthanc.LogWarning if record.levelno >= logging.WARNING else orthanc.LogInfo
            write(text)
        except Exception:
            self.handleError(record)


def guarded(what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let no exception of a callback reach Orthanc, which would log its message."""

    def decorate(callback: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any, **named: Any) -> None:
            try:
                callback(*arguments, **named)
            except Exception as error:
                orthanc.LogError(f"Triage, {what}: {failure(error)}")
                if what == "REST":
                    message = _("Triage failed to answer.")(language_of(named))
                    body = json.dumps({"code": "internal_error", "message": message})
                    send_status(arguments[0], 500, body)

        return call

    return decorate


class Entrance:
    """Every request comes by it. The guard needs none of what triage needs to start."""

    def __init__(self) -> None:
        self._guard: Any = None
        self.has_lua = True
        """Whether Orthanc has Lua scripts, to which it hands what images say."""

    def open(self) -> None:
        """Until the guard stands here, every request is refused."""
        from orthanc_plugin.access.guard import Guard
        from orthanc_plugin.audit.notes import notes

        configuration = json.loads(orthanc.GetConfiguration())
        self._guard = Guard(configuration, notes.note)
        self.has_lua = bool(configuration.get("LuaScripts"))

    def admits(self, uri: str, **request: Any) -> bool:
        """Whether Orthanc takes up a request; where that cannot be told, it does not."""
        try:
            return self._guard is not None and self._guard.admits(uri, request) is True
        except Exception as error:  # Orthanc would refuse as well, and log its message
            orthanc.LogError(f"Triage, guard: {failure(error)}")
            return False

    def address_of(self, uri: str, request: dict[str, Any]) -> str:
        """Where the request came from that this thread answers, as the guard heard just before."""
        return str(self._guard.address_of(uri, request)) if self._guard is not None else ""


triage = Triage()
entrance = Entrance()


@guarded("REST")
def on_request(output: Any, uri: str, **request: Any) -> None:
    """Everything under ``/triage``; the pattern alone would let ``/triagefoo`` in."""
    if uri == ROUTE or uri.startswith(f"{ROUTE}/"):
        triage.answer(output, uri, {**request, "ip": entrance.address_of(uri, request)})
    else:
        send_status(output, 404, "")


@guarded("event")
def on_change(change: int, level: int, resource: str) -> None:
    """Note what happened and return: Orthanc has one thread for all events."""
    if change == orthanc.ChangeType.ORTHANC_STARTED:
        triage.start()
    elif change == orthanc.ChangeType.ORTHANC_STOPPED:
        triage.stop()
    elif triage.runtime is not None:
        arrivals = triage.runtime.arrivals
        if change == orthanc.ChangeType.DELETED:
            if level == orthanc.ResourceType.SERIES:
                arrivals.deleted(resource)
            elif level == orthanc.ResourceType.INSTANCE:
                arrivals.image_deleted(resource)
        elif change in WAKING:
            arrivals.wake()


def on_received(dicom: bytes, _origin: int) -> tuple[Any, bytes | None]:
    """Look at what came before Orthanc parses it; what cannot be looked at is as it is.

    What comes by C-STORE was parsed once on its way in, and what comes by STOW-RS before it is handed on.
    """
    try:
        from headct.dicom_depth import MAX_LEVELS, MAX_LEVELS_FOR_LUA, nested_too_deeply

        if nested_too_deeply(dicom, MAX_LEVELS_FOR_LUA if entrance.has_lua else MAX_LEVELS):
            orthanc.LogWarning("A file is refused: nested or packed beyond reason")
            return orthanc.ReceivedInstanceAction.MODIFY, NO_DICOM
    except Exception as error:
        orthanc.LogError(f"Triage, received: {failure(error)}")
    return orthanc.ReceivedInstanceAction.KEEP_AS_IS, None


WAKING = frozenset(
    {orthanc.ChangeType.NEW_INSTANCE, orthanc.ChangeType.NEW_SERIES, orthanc.ChangeType.UPDATED_METADATA}
)


def load() -> None:
    """Make our packages importable and register the callbacks, the guard's first."""
    orthanc.RegisterIncomingHttpRequestFilter(entrance.admits)
    # Orthanc puts this script's folder on the path, where our modules would shadow others of their names.
    sys.path[:] = [p for p in sys.path if p != str(ROOT / "orthanc_plugin")]
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    entrance.open()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = ROOT / ".venv" / "lib" / version / "site-packages"
    if packages.is_dir():
        site.addsitedir(str(packages))
    for package in ("orthanc_plugin", "headct"):
        log = logging.getLogger(package)
        log.addHandler(OrthancLog())
        log.propagate = False
    orthanc.RegisterRestCallback(f"{ROUTE}(.*)", on_request)
    orthanc.RegisterOnChangeCallback(on_change)
    orthanc.RegisterReceivedInstanceCallback(on_received)
    # Orthanc holds a lock while it hands us an image, and waits for Python's. To make a token it takes it,
    # and to answer ``/system``: asked later, with Python's in hand, each waits for the other for ever.
    triage.token = orthanc.GenerateRestApiAuthorizationToken()
    triage.version = orthanc_version()


try:
    load()
except Exception as error:  # an exception that leaves this script ends Orthanc
    orthanc.LogError(f"Triage cannot be loaded: {failure(error)}")
