"""nginx: serves OHIF, and hands everything else on to Orthanc so that the browser sees one origin."""

import json
import shutil
from pathlib import Path

from headct.errors import SettingsError
from orthanc_plugin.stack.options import LOOPBACK, Options
from orthanc_plugin.stack.orthanc import PACKAGE

OHIF_FOLDER = PACKAGE.parent / "node_modules" / "@ohif" / "app" / "dist"

# The login is Orthanc's. It is asked for with the page itself: browsers show no login box for the data
# requests of a page's scripts in every case, and once given it goes along with them.
#
# It runs as one process, without a master that starts others: there is nothing a kill could leave behind with
# the port. Whoever started it starts it again.
_CONFIG = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {logs}/nginx.log warn;
events {{ worker_connections 512; }}

http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log off;
    server_tokens off;
    sendfile on;
    gzip on;
    gzip_types application/javascript text/css application/json application/dicom+json application/wasm;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;

    server {{
        listen {listen}:{port};
        root {ohif};

        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_request_buffering off;
        proxy_buffering off;
        proxy_read_timeout 300s;

        location = /login {{
            internal;
            proxy_pass {orthanc}/system;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }}
        location = /app-config.js {{
            alias {folder}/app-config.js;
            add_header Cache-Control no-store;
        }}
        location ~ ^/(dicom-web|triage)(/|$) {{ proxy_pass {orthanc}; }}
        location = /instances {{ proxy_pass {orthanc}; }}
        location ~ \\.(js|css|wasm|json|svg|png|ico|woff2?|ttf|txt|gltf)$ {{ try_files $uri =404; }}
        location / {{
            auth_request /login;
            try_files $uri /index.html;
        }}
    }}
}}
"""

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


def write_configuration(options: Options, folder: Path, logs: Path) -> Path:
    """Write nginx's and OHIF's configuration below ``folder``; return nginx's.

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
            listen=options.listen,
            port=options.ohif_port,
            ohif=OHIF_FOLDER,
            orthanc=f"http://{LOOPBACK}:{options.http_port}",
        )
    )
    return path
