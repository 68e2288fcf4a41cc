"""nginx as a caching proxy before an archive, configured as one would: the key holds Accept, answers are
kept, no limit is hit."""

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.orthanc import free_port

_START_LIMIT = 10.0  # seconds
_CONFIGURATION = """
daemon off;
user {user};
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/temp;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_cache_path {folder}/cache levels=1:2 keys_zone=dicom:16m max_size=8g inactive=1d use_temp_path=off;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass {upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache dicom;
      proxy_cache_key "$uri$is_args$args $http_accept";
      proxy_cache_valid 200 1d;
      proxy_cache_lock on;
      proxy_cache_lock_timeout 60s;
      proxy_max_temp_file_size 0;
      proxy_read_timeout 120s;
    }}
  }}
}}
"""


def nginx_missing() -> str | None:
    """What to do where it is not installed; None where it is."""
    if shutil.which("nginx") or shutil.which("/usr/sbin/nginx"):
        return None
    return "nginx is not installed: run `apt-get install nginx-light` to see its figure beside"


class Nginx:
    """One server in a folder of its own."""

    def __init__(self, folder: Path, upstream: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._upstream = upstream
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        folder = self.folder.resolve()
        text = _CONFIGURATION.format(folder=folder, port=self.port, upstream=self._upstream, user="root")
        file = folder / "nginx.conf"
        file.write_text(text)
        command = shutil.which("nginx") or "/usr/sbin/nginx"
        self._process = subprocess.Popen([command, "-c", str(file), "-p", str(folder)])
        deadline = time.monotonic() + _START_LIMIT
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/system", timeout=5).close()
            except urllib.error.HTTPError:
                return self
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise RuntimeError("nginx did not start")

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
