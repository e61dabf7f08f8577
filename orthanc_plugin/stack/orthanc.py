"""Orthanc's configuration: our plugin, DICOMweb, users, and who may connect."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headct.errors import SettingsError
from orthanc_plugin.settings import OpenPort, from_orthanc
from orthanc_plugin.stack.credentials import Credentials
from orthanc_plugin.stack.options import HTTP_PORT, LOOPBACK, Options

PLUGIN_FOLDERS = (Path("/usr/share/orthanc/plugins"), Path("/usr/local/share/orthanc/plugins"))
PACKAGE = Path(__file__).resolve().parent.parent

LOCAL_OPTIONS = "orthanc.local.json"
"""A file in the data folder with options of the hospital's own, laid over the generated ones."""

LOOPBACK_GUARD = f"""\
-- Orthanc cannot bind its DICOM port to one address. An error makes the C-STORE fail, so that a scanner
-- which is not meant to send here is told so; a plain "false" would answer success and drop the image.
function ReceivedInstanceFilter(dicom, origin, info)
  if origin["RemoteIp"] ~= nil and origin["RemoteIp"] ~= "{LOOPBACK}" then
    error("this server accepts images from its own machine only")
  end
  return true
end
"""


_VERSION_SECONDS = 20.0
HTTP_THREADS = 300
"""Of its web server, 50 unless told otherwise: each connection takes one, which waits at no cost."""
CONFIGURATION = "orthanc.json"
"""The file in the data folder with all options Orthanc was last started with."""


def last_started(folder: Path) -> dict[str, Any]:
    """All options that `headct up` last started Orthanc with on a data folder; empty where it never did.

    Raises:
        SettingsError: they cannot be read.
    """
    return _options_in(folder / CONFIGURATION)


def own_address(folder: Path) -> str:
    """Address of the Orthanc that `headct up` last started on a data folder; its usual one where none was.

    Raises:
        SettingsError: the configuration it was started with cannot be read.
    """
    options = last_started(folder)
    scheme = "https" if options.get("SslEnabled") else "http"
    return f"{scheme}://{LOOPBACK}:{options.get('HttpPort', HTTP_PORT)}"


def storage_of(options: Options, configuration: dict[str, Any]) -> Path:
    """The folder of triage; its usual one where its options are wrong, as it says itself."""
    try:
        return from_orthanc({"StorageDirectory": str(options.data / "orthanc"), **configuration}).storage
    except SettingsError:
        return options.data / "orthanc" / "headct-triage"


def find_executable() -> str:
    """Path of the Orthanc program."""
    path = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin")
    if path is None:
        raise SettingsError("Orthanc is not installed; run `make setup` first")
    return path


def version() -> tuple[int, ...]:
    """Of the Orthanc that is installed; empty where it does not say."""
    said = subprocess.run(
        [find_executable(), "--version"],
        capture_output=True,
        text=True,
        timeout=_VERSION_SECONDS,
        check=False,
    )
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", said.stdout + said.stderr)
    return tuple(map(int, found.groups())) if found else ()


def programs(configuration: dict[str, Any]) -> list[Path]:
    """Files of programs that run in Orthanc's process: its own, and its plugins."""
    library = Path("/usr/lib").glob("*/libOrthancFramework.so*")
    return [Path(find_executable()), *map(Path, configuration["Plugins"]), *library]


def _plugin(name: str) -> str:
    for folder in PLUGIN_FOLDERS:
        if (folder / name).exists():
            return str(folder / name)
    raise SettingsError(f"Orthanc's plugin {name} is not installed; run `make setup` first")


def environment() -> dict[str, str]:
    """What Orthanc needs to find this project and its libraries, and to answer a C-STORE at once."""
    return {
        "PYTHONPATH": f"{sysconfig.get_path('purelib')}:{PACKAGE.parent}",
        "PYTHONUNBUFFERED": "1",
        # Read by DCMTK. Without it each stored image waits 40 ms for a delayed TCP acknowledgement.
        "TCP_NODELAY": "1",
        # Read by glibc, in Orthanc and its workers: dozens of threads each with a heap of its own would
        # keep what they once held.
        "MALLOC_ARENA_MAX": "2",
        "MALLOC_TRIM_THRESHOLD_": "131072",
    }


def configuration(
    options: Options, credentials: Credentials, open_ports: Sequence[OpenPort] = ()
) -> dict[str, Any]:
    """All options Orthanc is started with, the hospital's own laid over ours.

    Args:
        options: where it listens, and where its data lies.
        credentials: its first user.
        open_ports: of which the page tells.

    Raises:
        SettingsError: A plugin is missing, ``orthanc.local.json`` is not a JSON object, or it switches
            authentication off while other machines may connect.
    """
    storage = str(options.data / "orthanc")
    generated: dict[str, Any] = {
        "Name": "headct-triage",
        "StorageDirectory": storage,
        "IndexDirectory": storage,
        "HttpPort": options.http_port,
        # Other machines come by nginx. The second is known from Orthanc 1.12.10 on; older versions listen
        # everywhere and refuse other machines' requests.
        "RemoteAccessAllowed": False,
        "HttpBindAddresses": [LOOPBACK],
        # Connections of this machine that say nothing, or stop in the middle, keep the others from nothing.
        "HttpThreadsCount": HTTP_THREADS,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {credentials.user: credentials.password},
        "DicomAet": "HEADCT",
        "DicomPort": options.dicom_port,
        **_who_may_send(options),
        # A scanner that sends a damaged study again means the new images: docs/adr/0006-images-sent-again.md.
        "OverwriteInstances": True,
        "StableAge": 5,
        "UserMetadata": {"HeadCTUrgency": 8310},
        "Plugins": [_plugin("libOrthancDicomWeb.so"), _plugin("libOrthancPython.so")],
        "PythonScript": str(PACKAGE / "plugin.py"),
        "PythonVerbose": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
        "HeadCTTriage": _for_triage(options, credentials, open_ports),
    }
    merged = _merge(generated, _options_in(options.data / LOCAL_OPTIONS))
    is_open = merged["RemoteAccessAllowed"] or not options.local_only
    if is_open and not (merged["AuthenticationEnabled"] and merged["RegisteredUsers"]):
        raise SettingsError("other machines may connect only while AuthenticationEnabled is true")
    return merged


def _for_triage(options: Options, credentials: Credentials, open_ports: Sequence[OpenPort]) -> dict[str, Any]:
    return {
        "Python": sys.executable,
        "Secrets": str(options.data / "secrets"),
        "OhifUrl": f"{options.ohif_url}viewer?StudyInstanceUIDs=",
        "Annotations": options.annotations,
        "Research": options.research,
        "OpenPorts": [port.model_dump(mode="json", by_alias=True) for port in open_ports],
        # Until the hospital names its people.
        "People": {
            credentials.user: {
                "Name": credentials.user,
                "Organisation": "headct-triage",
                "Role": "administrator",
            }
        },
    }


def _who_may_send(options: Options) -> dict[str, Any]:
    """Any AE of this machine, or exactly the named ones from exactly their addresses."""
    if not options.calling_aes:
        return {
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "LuaScripts": [str(options.data / "loopback.lua")],
        }
    return {
        "DicomAlwaysAllowEcho": False,
        "DicomAlwaysAllowStore": False,
        "DicomCheckModalityHost": True,
        "DicomModalities": {
            f"sender{number}": {
                "AET": ae.title,
                "Host": ae.host,
                "Port": 104,  # Never called: Orthanc wants a number for a modality that only sends.
                "AllowEcho": True,
                "AllowStore": True,
                "AllowFind": False,
                "AllowGet": False,
                "AllowMove": False,
            }
            for number, ae in enumerate(options.calling_aes, start=1)
        },
    }


def _options_in(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        options = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(options, dict):
        raise SettingsError(f"{path} must hold one JSON object")
    return options


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Lay ``over`` on ``base``; objects are merged one level deep, everything else replaces."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merged[key] = {**base[key], **value}
        else:
            merged[key] = value
    return merged
