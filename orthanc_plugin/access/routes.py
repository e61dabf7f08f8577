"""Which role each route of Orthanc and its plugins wants, and why; closed by default.

A rule is for a method and a path: ``*`` stands for one part, ``**`` at the end for any rest. The first that
fits counts. ``docs/routes`` has every route with what follows from here, made from a running server.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from orthanc_plugin.access.roles import Role

LARGEST_UPLOAD = 2**30 + 2**20
"""Bytes of one image, or of many in one request: a gigabyte is the largest that the page *Import images*
sends, and what goes with it. Orthanc takes as much memory as a request announces, at once."""
LARGEST_BODY = 64 * 2**20
"""Of everything else. More than triage takes (20 MB), so that triage can say so."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may ask for some routes."""

    method: str
    """``*`` stands for any."""
    path: tuple[str, ...]
    role: Role | None
    """The least that may; ``None``: nobody."""
    why: str
    largest: int = LARGEST_BODY
    streams: bool = False
    """Orthanc takes a body of unknown length piece by piece here; elsewhere it would keep all of it."""

    def fits(self, method: str, parts: tuple[str, ...]) -> bool:
        """Whether the rule is for a request."""
        if self.method not in ("*", method):
            return False
        path = self.path
        if path[-1:] == ("**",):
            path = path[:-1]
            parts = parts[: len(path)]
        return len(path) == len(parts) and all(a in ("*", b) for a, b in zip(path, parts, strict=True))


def _rules(role: Role | None, why: str, *routes: str, upload: bool = False) -> Iterator[Rule]:
    for route in routes:
        method, path = route.split()
        parts = parts_of(path)
        if upload:
            yield Rule(method, parts, role, why, LARGEST_UPLOAD, streams="dicom-web" in parts)
        else:
            yield Rule(method, parts, role, why)


def parts_of(path: str) -> tuple[str, ...]:
    """The parts of a path as Orthanc routes it: a slash at the end counts for nothing.

    Orthanc's web server has decoded it and taken out ``..`` and double slashes before anybody sees it.
    """
    return tuple(path.removeprefix("/").removesuffix("/").split("/")) if path.strip("/") else ()


TABLE = (
    *_rules(
        None,
        "would write files or run programs on the server",
        "POST /instances/*/export",
        "* /tools/execute-script",
    ),
    *_rules(
        Role.VIEWER,
        "triage asks who it is by itself, and says what it refuses",
        "* /triage/**",
    ),
    *_rules(
        Role.VIEWER,
        "looking at images and what is written in them",
        "GET /patients/**",
        "GET /studies/**",
        "GET /series/**",
        "GET /instances/**",
        "GET /dicom-web/patients/**",
        "GET /dicom-web/studies/**",
        "GET /dicom-web/series/**",
        "GET /dicom-web/instances/**",
        "GET /dicom-web/info",
        "GET /wado",
    ),
    *_rules(
        Role.VIEWER,
        "searching, which needs a body",
        "POST /tools/find",
        "POST /tools/lookup",
        "POST /tools/bulk-content",
        "POST /tools/count-resources",
    ),
    *_rules(
        Role.VIEWER,
        "an image in another form for who asked; nothing is stored (the panel in 3D Slicer)",
        "POST /instances/*/modify",
    ),
    *_rules(
        Role.VIEWER,
        "which server this is, how full, and what came in; programs ask it first",
        "GET /system",
        "GET /statistics",
        "GET /changes",
        "GET /tools/now",
        "GET /tools/now-local",
        "GET /tools/generate-uid",
        "GET /tools/labels",
        "GET /tools/dicom-conformance",
        "GET /tools/metrics-prometheus",
    ),
    *_rules(
        Role.VIEWER,
        "the pages of Orthanc's explorer, which show what their reader may see",
        "GET /",
        "GET /app/**",
        "GET /favicon.ico",
        "GET /plugins",
        "GET /plugins/explorer.js",
    ),
    *_rules(
        Role.SERVICE,
        "bringing images in: import, another PACS, what is drawn in OHIF",
        "POST /instances",
        "POST /dicom-web/studies",
        "POST /dicom-web/studies/*",
        upload=True,
    ),
    *_rules(
        Role.SERVICE,
        "images in one file for who asked; work for the server",
        "POST /patients/*/archive",
        "POST /patients/*/media",
        "POST /studies/*/archive",
        "POST /studies/*/media",
        "POST /series/*/archive",
        "POST /series/*/media",
        "* /tools/create-archive",
        "* /tools/create-media",
        "* /tools/create-media-extended",
    ),
    *_rules(
        Role.ADMINISTRATOR,
        "a way to other servers, and what is known of them",
        "* /modalities/**",
        "* /peers/**",
        "* /queries/**",
        "* /storage-commitment/**",
        "* /dicom-web/servers/**",
        "* /dicom-web/app/**",
        "POST /tools/dicom-echo",
    ),
    *_rules(
        Role.ADMINISTRATOR,
        "changes, copies or deletes what is stored",
        "* /patients/**",
        "* /studies/**",
        "* /series/**",
        "* /instances/**",
        "POST /tools/bulk-anonymize",
        "POST /tools/bulk-delete",
        "POST /tools/bulk-modify",
        "POST /tools/create-dicom",
        "POST /tools/reconstruct",
    ),
    *_rules(
        Role.ADMINISTRATOR,
        "work in hand and what was done, for whom and where to",
        "* /jobs/**",
        "* /exports",
        "DELETE /changes",
    ),
    *_rules(
        Role.ADMINISTRATOR,
        "sets up, shows or ends the server",
        "* /tools/**",
        "* /plugins/**",
    ),
    *_rules(
        Role.ADMINISTRATOR,
        "everything else, other plugins too",
        "* /**",
    ),
)


WORDS = frozenset(
    """
    accepted-sop-classes accepted-transfer-syntaxes additional-tags anonymize answers app archive
    attachments bulk bulk-anonymize bulk-content bulk-delete bulk-modify cancel changes client compress
    compressed-data compressed-md5 compressed-size configuration content count-resources create-archive
    create-dicom create-media create-media-extended data default-encoding delete dicom-conformance
    dicom-echo dicom-web echo execute-script export exports file find find-instance find-patient
    find-series find-study find-worklist frames get header info instances instances-tags invalidate-tags
    is-compressed jobs labels level libs log-level log-level-dicom log-level-generic log-level-http
    log-level-jobs log-level-lua log-level-plugins log-level-sqlite lookup media merge metadata metrics
    modalities modality modify module move output patient patients pause peers plugins protected qido
    queries query query-instances query-series query-studies reconstruct remove rendered reset resubmit
    resume retrieve series servers shared-tags shutdown simplified-tags split statistics
    storage-commitment store store-straight stow studies study system tags thumbnail tools triage
    uncompress unknown-sop-class-accepted update-dicomweb-cache verify-md5 wado webdav
    """.split()  # noqa: SIM905 as a list it would take a line a word
)
"""Words of Orthanc's own in its routes. All other parts are names that somebody gave."""
LONGEST = 10
"""Parts of a route that are told; Orthanc has none as long."""


def rule_of(method: str, parts: tuple[str, ...]) -> Rule:
    """The rule that counts for a request."""
    return next(rule for rule in TABLE if rule.fits(method, parts))


def name_of(parts: tuple[str, ...]) -> str:
    """A route without what may name a patient, or anybody: for the audit."""
    return "/" + "/".join(part if part in WORDS else "*" for part in parts[:LONGEST])
