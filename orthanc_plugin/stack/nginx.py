"""nginx: the front door. It serves OHIF, and hands on to Orthanc what is not too large, too slow or refused.

Other machines come by it alone. With its limits and time-outs nobody who is slow, huge or many keeps Orthanc
from its work, or others from being served. Its log names no patient: its own messages quote what was
asked for, so of a request that failed there is only when, from where, and how.
"""

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path

from headct.errors import SettingsError
from orthanc_plugin.stack.doorkeeper import SOCKET
from orthanc_plugin.stack.options import LOOPBACK, Options
from orthanc_plugin.stack.orthanc import PACKAGE

OHIF_FOLDER = PACKAGE.parent / "node_modules" / "@ohif" / "app" / "dist"

FILES = 8192
"""That nginx may have open. The usual 1024 are used up by 500 slow clients."""
CONNECTIONS = 4096
"""Open at once, those to Orthanc too."""
REQUESTS_OF_ONE, BODIES_OF_ONE, LARGE_BODIES_OF_ONE = 200, 32, 4
"""Of one login at one address: requests in hand, those with a body, and bodies of 100 MB and more or of
unknown length, each of which Orthanc has in memory. A browser has six. More are told to come again (503)."""
LARGEST_UPLOAD, LARGEST_BODY = "1025m", "64m"
"""Of images, and of everything else."""

ROUTES = (
    "app|changes|dicom-web|exports|instances|jobs|modalities|patients|peers|plugins|queries|series|statistics|"
    "storage-commitment|studies|system|tools|triage|wado"
)
"""Of Orthanc and the plugins that it is started with; the addresses inside OHIF are none of them."""

_FURTHER = "%[89ab][0-9a-f]"
_ENCODED = (
    "%0[1-9a-f]|%[1-7][0-9a-f]|%(?:c[2-9a-f]|d[0-9a-f])T|%e0%[ab][0-9a-f]T|%e[1-9a-cef]TT|%ed%[89][0-9a-f]T|"
    "%f0%[9ab][0-9a-f]TT|%f[1-3]TTT|%f4%8[0-9a-f]TT"
).replace("T", _FURTHER)
TEXT = rf"^(?:[\x21-\x24\x26-\x7e]|{_ENCODED})*+$"
"""What may stand in an address, in any case of letters: printable ASCII, and UTF-8 (RFC 3629, section 4) but
for NUL, percent-encoded. Of a path that is none Orthanc makes an error of its own (500)."""
UNREADABLE = "The request cannot be understood: an address is UTF-8, percent-encoded."
"""What is said of one that is not, and of what is no HTTP."""

# It runs as one process, without a master that starts others: there is nothing a kill could leave behind with
# the port. Whoever started it starts it again.
#
# Bodies and answers are not kept on disk. What Orthanc answers is taken from it at once as far as it is small
# (2 MB, all of a page or an image), so that who reads slowly keeps no thread of Orthanc's.
_CONFIG = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {logs}/nginx.log warn;
events {{ worker_connections {connections}; }}

http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    server_tokens off;
    sendfile on;
    gzip on;
    gzip_types application/javascript text/css application/json application/dicom+json application/wasm;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;

    error_log /dev/null emerg;
    log_format told '$time_iso8601 $remote_addr $status in $request_time s, of Orthanc $upstream_status';
    map $status $is_told {{ default 0; "~^(408|413|414|429|494|5..)" 1; }}
    access_log {logs}/nginx.log told if=$is_told;
{proxy}
    client_header_timeout 10s;
    client_body_timeout 30s;
    send_timeout 30s;
    keepalive_timeout 30s;
    reset_timedout_connection on;
    large_client_header_buffers 4 16k;
    limit_conn_status 503;
    limit_conn_log_level info;
    limit_conn_zone $remote_addr:$remote_user zone=requests:4m;
    map "$http_transfer_encoding:$content_length" $body {{
        default "";
        "~^[^:]|:[1-9]" $remote_addr:$remote_user;
    }}
    limit_conn_zone $body zone=bodies:1m;
    map "$http_transfer_encoding:$content_length" $large_body {{
        default "";
        "~^[^:]|:[0-9]{{9}}" $remote_addr:$remote_user;
    }}
    limit_conn_zone $large_body zone=large_bodies:1m;

    map $request_uri $is_text {{ default 0; "" 1; "~*{text}" 1; }}
    map $uri $policy {{
        default "{ohif_policy}";
        ~^/app(/|$) "{explorer_policy}";
        ~^/({routes})(/|$) "";
    }}
    map $uri $caching {{ default ""; /app-config.js no-store; }}
    add_header Content-Security-Policy $policy always;
    add_header Cache-Control $caching;
    add_header X-Frame-Options SAMEORIGIN always;
    add_header X-Content-Type-Options nosniff always;
    add_header Referrer-Policy same-origin always;
    add_header Cross-Origin-Opener-Policy same-origin always;
    add_header Cross-Origin-Resource-Policy same-origin always;
    proxy_hide_header X-Content-Type-Options;
    proxy_hide_header Referrer-Policy;
    proxy_hide_header Cross-Origin-Opener-Policy;
    proxy_hide_header Cross-Origin-Resource-Policy;

    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_request_buffering off;
    proxy_buffer_size 16k;
    proxy_buffers 32 64k;
    proxy_busy_buffers_size 128k;
    proxy_max_temp_file_size 0;
    proxy_connect_timeout 5s;
    proxy_read_timeout 300s;

    upstream doorkeeper {{ server unix:{socket}; keepalive 16; }}

    server {{
        {listen}
        root {ohif};
        limit_conn requests {requests};
        limit_conn bodies {bodies};
        limit_conn large_bodies {large_bodies};
        client_max_body_size {largest_body};
        if ($is_text = 0) {{ rewrite ^ /.unreadable last; }}
        error_page 400 /.unreadable;
        error_page 403 = @later;
        error_page 500 = @away;

        location = /.door {{
            internal;
            proxy_pass http://doorkeeper;
            proxy_pass_request_body off;
            proxy_pass_request_headers off;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_set_header Authorization $http_authorization;
            proxy_set_header X-Real-IP $remote_addr;
        }}
        location = /.unreadable {{
            internal;
            default_type application/json;
            return 400 '{{"code": "bad_request", "message": "{unreadable}"}}';
        }}
        location @later {{
            add_header Retry-After 60 always;
            default_type application/json;
            return 429 '{{"code": "too_many", "message": "Too many refused logins: come again later."}}';
        }}
        location @away {{
            add_header Retry-After 1 always;
            default_type application/json;
            return 503;
        }}
        location ~ ^/(instances|dicom-web/studies(/[^/]+)?)/?$ {{
            auth_request /.door;
            client_max_body_size {largest_upload};
            proxy_pass {orthanc};
        }}
        location ~ ^/({routes})(/|$) {{
            auth_request /.door;
            proxy_pass {orthanc};
        }}
        location = /app-config.js {{ alias {folder}/app-config.js; }}
        location ~ \\.(js|css|wasm|json|svg|png|ico|woff2?|ttf|txt|gltf)$ {{ try_files $uri =404; }}
        location / {{
            auth_request /.door;
            try_files $uri /index.html;
        }}
    }}
}}
"""

_POLICY = {
    "default-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
"""Of pages that are not ours: nothing from elsewhere, nor into other pages, but what their scripts need."""

_OHIF_CONFIG = {
    "routerBasename": "/",
    "extensions": [],
    "modes": [],
    "customizationService": [{"ohif.tours": {"$set": []}}],  # no guided tour over the first urgent case
    "showStudyList": True,
    "maxNumberOfWebWorkers": 2,
    "showWarningMessageForCrossOrigin": False,
    "showCPUFallbackMessage": True,
    "strictZSpacingForVolumeViewport": True,
    "investigationalUseDialog": {"option": "never"},
    "defaultDataSourceName": "orthanc",
    "dataSources": [
        {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "orthanc",
            "configuration": {
                "friendlyName": "Orthanc",
                "name": "orthanc",
                "qidoRoot": "/dicom-web",
                "wadoRoot": "/dicom-web",
                "qidoSupportsIncludeField": False,
                "supportsFuzzyMatching": False,
                "supportsWildcard": True,
                "imageRendering": "wadors",
                "thumbnailRendering": "wadors",
                "enableStudyLazyLoad": True,
                "omitQuotationForMultipartRequest": True,
            },
        }
    ],
}


def find_executable() -> str:
    """Path of nginx."""
    path = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if path is None:
        raise SettingsError("nginx is not installed; run `make setup` first")
    return path


def write_configuration(options: Options, folder: Path, logs: Path, *, behind_proxy: bool = False) -> Path:
    """Write nginx's and OHIF's configuration below ``folder``; return nginx's.

    Args:
        options: where to listen, and where Orthanc does.
        folder: of nginx, in which the doorkeeper runs too.
        logs: folder of logs.
        behind_proxy: believe what a proxy on this machine says of who asks it.

    Raises:
        SettingsError: OHIF is not there.
    """
    if not (OHIF_FOLDER / "index.html").exists():
        raise SettingsError(
            f"the OHIF viewer is not in {OHIF_FOLDER}; `make setup` in a clone of the project brings it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app-config.js").write_text(f"window.config = {json.dumps(_OHIF_CONFIG, indent=2)};\n")
    path = folder / "nginx.conf"
    path.write_text(
        _CONFIG.format(
            folder=folder,
            logs=logs,
            socket=SOCKET,
            connections=CONNECTIONS,
            requests=REQUESTS_OF_ONE,
            bodies=BODIES_OF_ONE,
            large_bodies=LARGE_BODIES_OF_ONE,
            largest_upload=LARGEST_UPLOAD,
            largest_body=LARGEST_BODY,
            routes=ROUTES,
            text=TEXT,
            unreadable=UNREADABLE,
            ohif_policy=_policy(f"'self' 'wasm-unsafe-eval' {_inline_scripts(OHIF_FOLDER / 'index.html')}"),
            explorer_policy=_policy("'self' 'unsafe-inline' 'unsafe-eval'"),
            proxy=_PROXY if behind_proxy else "",
            listen="\n        ".join(f"listen {one}:{options.ohif_port};" for one in _addresses(options)),
            ohif=OHIF_FOLDER,
            orthanc=f"http://{LOOPBACK}:{options.http_port}",
        )
    )
    return path


_PROXY = f"    set_real_ip_from {LOOPBACK};\n    real_ip_header X-Forwarded-For;\n"


def _addresses(options: Options) -> list[str]:
    """Loopback in any case: `headct up` looks there whether nginx is up."""
    return sorted({options.listen} if options.listen == "0.0.0.0" else {LOOPBACK, options.listen})


def _policy(scripts: str) -> str:
    """A Content-Security-Policy."""
    return "; ".join(f"{kind} {sources}" for kind, sources in {**_POLICY, "script-src": scripts}.items())


def _inline_scripts(page: Path) -> str:
    """Those that stand in a page itself, by what they are: no others may."""
    scripts = re.findall(r"<script>(.+?)</script>", page.read_text(encoding="utf-8"), re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)
