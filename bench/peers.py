"""What stands between a client and the upstream in `gateway.py`: each on loopback, one process, telemetry off.

Each is started by a context manager that gives a `Gateway`, or raises `Missing` with what is not there.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from stand import Pinhole, Service, free_port, listens, on, running

MIB = 1024 * 1024
TEXT = {"100K": 100 * 1024, "1.5M": 3 * MIB // 2, "6M": 6 * MIB}
MODEL = "gpt-image-2"
PATH = "/v1/images/generations"
KEY, UPSTREAM_KEY = "sk-bench", "sk-upstream"

NGINX = """
worker_processes 1;
daemon off;
pid {run}/nginx.pid;
error_log {run}/nginx-error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {run}/nginx-body; proxy_temp_path {run}/nginx-proxy; fastcgi_temp_path {run}/nginx-fastcgi;
    uwsgi_temp_path {run}/nginx-uwsgi; scgi_temp_path {run}/nginx-scgi;
    client_max_body_size 64m;
    client_body_buffer_size 2m;
    keepalive_requests 1000000;
    upstream images {{ server {upstream}; keepalive 512; keepalive_requests 1000000; }}
    map $http_authorization $allowed {{ default 0; "Bearer {key}" 1; }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location /v1/ {{
            if ($allowed = 0) {{ return 401; }}
            proxy_pass http://images;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer {upstream_key}";
            proxy_buffering off;
            proxy_buffer_size 64k;
            proxy_buffers 8 64k;
            proxy_read_timeout 300s;
        }}
    }}
}}
"""

# JSON is YAML.
LITELLM = {
    "model_list": [{"model_name": MODEL, "litellm_params": {"model": f"openai/{MODEL}", "api_key": UPSTREAM_KEY}}],
    "general_settings": {"master_key": KEY},
    "litellm_settings": {"telemetry": False, "set_verbose": False, "num_retries": 0, "request_timeout": 300},
}

# It asks nobody outside: prices are those that it came with, documentation is off, so are traces of use.
LITELLM_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "NO_DOCS": "True",
    "DO_NOT_TRACK": "1",
}

PINHOLE = """
[provider.openai]
kind = "openai"
base_url = "http://{upstream}/v1"
api_key = "{upstream_key}"
proxy = "none"
"""

POST = """
wrk.method = "POST"
wrk.path = "{path}"
{headers}
wrk.body = '{body}'
"""


class Missing(Exception):
    """Why it cannot be measured."""


class Gateway(Service):
    """What stands between the client and the upstream, or the upstream itself."""

    def __init__(self, name, address, process, key=KEY, version="", headers=()):
        super().__init__(address, process)
        self.name, self.version = name, version
        self.headers = {"Authorization": f"Bearer {key}", **dict(headers)}

    def post(self, path, body, content_type, timeout=60):
        """`body` as text, as bytes, or as pieces of bytes that nobody has to join."""
        connection = http.client.HTTPConnection(self.address, timeout=timeout)
        headers = {**self.headers, "Content-Type": content_type}
        if not isinstance(body, (str, bytes)):
            headers["Content-Length"] = str(sum(map(len, body)))
        connection.request("POST", path, body, headers)
        return connection.getresponse()

    def load(self, folder, size, clients, seconds):
        """So many clients, each with one request under way at any time. `fails` says what was wrong, if it was."""
        body = json.dumps({"model": MODEL, "prompt": f"[mock:text={TEXT[size]}]", "n": 1})
        headers = {**self.headers, "Content-Type": "application/json"}
        lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())
        self.wait_until_idle()  # of what the cell before has left to do
        self.reset_peak()
        script = POST.format(path=PATH, headers=lines, body=body)
        try:
            got = self.wrk(script, folder, clients, seconds, threads=1, timeout=60)
        except subprocess.CalledProcessError:
            return {"requests": 0, "good": 0, "fails": "fails (no connection)"}
        good = got["requests"] - got["wrong"]["status"]
        figures = {"requests": got["requests"], "good": good, "fails": None}
        if got["errors"] or not good:
            figures["fails"] = self.fault(got, body)
        # wrk counts what was read of replies that the end cut off.
        elif got["bytes"] < good * TEXT[size]:
            figures["fails"] = "fails (short answers)"
        if good:
            figures |= {"cpu_per_1000": got["cpu_s"] * 1000 / good, "peak_mib": self.memory_mib("VmHWM"),
                        "p50_ms": got["p50_ms"], "p99_ms": got["p99_ms"], "per_s": good / got["seconds"],
                        "cores": got["cpu_s"] / got["seconds"]}
        return figures

    def fault(self, got, body):
        """In words. wrk tells no status, so one more call asks for it."""
        kinds = [kind for kind, count in got["wrong"].items() if count]
        if not kinds:
            return "fails (no answer in time)"
        try:
            reply = self.post(PATH, body, "application/json", timeout=20)
            reply.read()
            what = reply.status if "status" in kinds and reply.status != 200 else ", ".join(kinds)
        except (OSError, http.client.HTTPException) as error:
            what = type(error).__name__
        if got["requests"] > got["errors"]:
            return f"{got['errors']} of {got['requests']} fail ({what})"
        return f"fails ({what})"


# --- how each is started ------------------------------------------------------------------------

@contextlib.contextmanager
def upstream(binary, folder, cpus):
    """The stand-in for OpenAI."""
    with on(cpus), running([binary, "--listen", "127.0.0.1:0", "--key", UPSTREAM_KEY], folder / "mock.log") as process:
        line = process.stdout.readline().decode()
        yield Gateway("direct", re.search(r"//([^/]*)/", line).group(1), process, UPSTREAM_KEY)


@contextlib.contextmanager
def served(name, command, port, folder, cpus, env=None, seconds=30, **more):
    """A process that listens at a port within so many seconds."""
    log = folder / f"{name}.log"
    with on(cpus), running(command, log, env and {**os.environ, **env}, read=False) as process:
        if not listens(port, process, seconds):
            raise Missing(f"{name} does not start: {log.read_text(errors='replace')[-1000:]}")
        yield Gateway(name, f"127.0.0.1:{port}", process, **more)


@contextlib.contextmanager
def nginx(folder, upstream, cpus):
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not program:
        raise Missing("nginx is not installed (apt-get install nginx-light)")
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(NGINX.format(run=folder, upstream=upstream, port=port, key=KEY, upstream_key=UPSTREAM_KEY))
    command = [program, "-e", str(folder / "nginx-error.log"), "-c", str(config)]
    version = subprocess.run([program, "-v"], capture_output=True, text=True).stderr.strip().rpartition("/")[2]
    with served("nginx", command, port, folder, cpus, version=version) as gateway:
        yield gateway


@contextlib.contextmanager
def litellm(peers, folder, upstream, cpus):
    program = peers / "litellm" / "bin" / "litellm"
    if not program.exists():
        raise Missing(f"LiteLLM is not there ({program})")
    found = next(iter(peers.glob("litellm/lib/python*/site-packages/litellm-*.dist-info")), pathlib.Path("litellm-?.d"))
    port, config = free_port(), folder / "litellm.yaml"
    settings = json.loads(json.dumps(LITELLM))
    settings["model_list"][0]["litellm_params"]["api_base"] = f"http://{upstream}/v1"
    config.write_text(json.dumps(settings))
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port),
               "--telemetry", "False", "--num_workers", "1"]
    version = re.search(r"litellm-(.*)\.d", found.name).group(1)
    with served("LiteLLM", command, port, folder, cpus, LITELLM_ENVIRONMENT, 300, version=version) as gateway:
        yield gateway


@contextlib.contextmanager
def portkey(peers, folder, upstream, cpus):
    """It holds no keys: its caller has the provider's own, and says where the provider is."""
    package, node = peers / "portkey" / "node_modules" / "@portkey-ai" / "gateway", shutil.which("node")
    if not (package / "package.json").exists():
        raise Missing(f"Portkey is not there ({package})")
    if not node:
        raise Missing("Portkey needs node, which is not installed")
    port = free_port()
    command = [node, str(package / "build" / "start-server.js"), "--headless", f"--port={port}"]
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://{upstream}/v1"}
    version = json.loads((package / "package.json").read_text())["version"]
    environment = {"NODE_ENV": "production", "DO_NOT_TRACK": "1"}
    with served("Portkey", command, port, folder, cpus, environment, key=UPSTREAM_KEY, version=version,
                headers=headers) as gateway:
        yield gateway


@contextlib.contextmanager
def pinhole(binary, folder, upstream, cpus):
    """A fresh data folder, a prepaid account with money, a live key; its ledger must be clean at the end."""
    own = pathlib.Path(tempfile.mkdtemp(dir=folder, prefix="pinhole-"))
    # The folder goes with all others at the end: ext4 looks longer for a free inode for a minute after many deletions.
    with Pinhole(binary, own, PINHOLE.format(upstream=upstream, upstream_key=UPSTREAM_KEY)) as server:
        with on(cpus):
            server.start()
        server.tell("accounts", "create", "bench")
        server.tell("credits", "grant", "bench", "1000000")
        key = server.key("bench", "--account", "bench")
        yield Gateway("Pinhole", server.address, server.process, key)
        server.stop()
        server.tell("ledger", "check")
