"""The registries that scripts/bench-serve compares: how each is started, and how each gets the same content."""

import hashlib
import http.client
import json
import os
import random
import shutil
import socket
import subprocess
from pathlib import Path

from bench_common import PEERS, WORK, Registry, Server, answers, program, say, target_folder

ZOT = "v1.4.3"
APP = "bench/app"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CATALOG = 10_000
# Links to one file that every usual file system allows.
LINKS = 30_000


# --- content ---------------------------------------------------------------------------------------------------


def digest_of(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Image:
    """An image whose layers are the blobs to measure; the same bytes in every run."""

    def __init__(self, layers):
        seeded = random.Random(20261)
        self.layers = {size: seeded.randbytes(size) for size in layers}
        self.config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
        describe = lambda kind, content: {
            "mediaType": f"application/vnd.oci.image.{kind}", "digest": digest_of(content), "size": len(content),
        }
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": describe("config.v1+json", self.config),
                "layers": [describe("layer.v1.tar+gzip", layer) for layer in self.layers.values()],
            }
        ).encode()
        self.digest = digest_of(self.manifest)

    def blobs(self):
        return [self.config, *self.layers.values()]

    def push(self, address, repository, tag):
        """The distribution protocol, as any client speaks it."""
        wire = http.client.HTTPConnection(address, timeout=60)

        def ask(expected, method, path, body=None, kind="application/octet-stream"):
            wire.request(method, path, body=body, headers={"Content-Type": kind})
            answer = wire.getresponse()
            told = answer.read()
            assert answer.status == expected, f"{method} {path}: {answer.status} {told[:500]}"
            return answer.getheader("Location")

        for blob in self.blobs():
            place = ask(202, "POST", f"/v2/{repository}/blobs/uploads/")
            path = place[place.index("/v2/"):]
            ask(201, "PUT", f"{path}{'&' if '?' in path else '?'}digest={digest_of(blob)}", blob)
        ask(201, "PUT", f"/v2/{repository}/manifests/{tag}", self.manifest, MANIFEST_TYPE)
        wire.close()


def get_json(address, path):
    wire = http.client.HTTPConnection(address, timeout=60)
    wire.request("GET", path)
    answer = wire.getresponse()
    assert answer.status == 200, f"{path}: {answer.status}"
    return json.loads(answer.read())


def tag_names(count):
    return (f"t{number:07}" for number in range(count))


def repository_names(count):
    return (f"many/r{number:07}" for number in range(count))


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def listens(address):
    host, port = address.split(":")
    return lambda: answers(socket.AF_INET, (host, int(port)))


# --- servers ---------------------------------------------------------------------------------------------------
# Each kind: start(folder, root) gives a Server with an address; add_tags and add_repositories write the tree that the
# server itself would have written, because a hundred thousand requests would take minutes (and an hour with zot).


class Landfall:
    name, key = "**landfall**", "landfall"
    tag_counts = (100_000, 1_000_000)

    def __init__(self):
        self.program = os.environ.get("LANDFALL", str(target_folder() / "release/landfall"))

    def start(self, folder, root):
        address = free_address()
        # Every answered write is on the disk: the default, and all there is.
        command = [self.program, "serve", "--root", str(root), "--listen", address]
        server = Server(command, folder, listens(address))
        server.address = address
        return server

    def add_tags(self, root, repository, image, count):
        base = root / "repos" / repository
        record = base / "_manifests/sha256" / image.digest.split(":")[1]
        for number, tag in enumerate(tag_names(count)):
            if number % LINKS == 0:
                record = Path(shutil.copy(record, base / "_tags" / tag))
            else:
                os.link(record, base / "_tags" / tag)

    def add_repositories(self, root, image, count):
        record = root / "repos" / APP / "_manifests/sha256" / image.digest.split(":")[1]
        for name in repository_names(count):
            folder = root / "repos" / name / "_manifests/sha256"
            folder.mkdir(parents=True)
            os.link(record, folder / record.name)


class DockerRegistry:
    name, key = "docker-registry", "docker"
    tag_counts = (100_000, 1_000_000)

    def __init__(self):
        self.program = program("docker-registry")

    def start(self, folder, root):
        return Registry(folder, root)

    def add_tags(self, root, repository, image, count):
        """For a list it reads the names only, so that they need not be folders."""
        tags = root / "docker/registry/v2/repositories" / repository / "_manifests/tags"
        tags.mkdir(parents=True, exist_ok=True)
        for number, tag in enumerate(tag_names(count)):
            if number % LINKS == 0:
                linked = tags / tag
                linked.touch()
            else:
                os.link(linked, tags / tag)

    def add_repositories(self, root, image, count):
        for name in repository_names(count):
            (root / "docker/registry/v2/repositories" / name / "_layers").mkdir(parents=True)


class Zot:
    name, key = f"zot {ZOT}", "zot"
    # It reads one JSON file with all tags for every request.
    tag_counts = (100_000,)

    def __init__(self):
        self.program = build_zot()

    def start(self, folder, root):
        address = free_address()
        host, port = address.split(":")
        config = folder / "zot.json"
        config.write_text(
            json.dumps(
                {
                    "storage": {"rootDirectory": str(root)},
                    "http": {"address": host, "port": port},
                    "log": {"level": "error", "output": "/dev/null"},
                }
            )
        )
        server = Server([self.program, "serve", str(config)], folder, listens(address))
        server.address = address
        return server

    def layout(self, root, repository, image, tags):
        base = root / repository
        blobs = base / "blobs/sha256"
        blobs.mkdir(parents=True, exist_ok=True)
        (base / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        for content in [image.manifest, *image.blobs()]:
            (blobs / hashlib.sha256(content).hexdigest()).write_bytes(content)
        entry = {"mediaType": MANIFEST_TYPE, "digest": image.digest, "size": len(image.manifest)}
        named = lambda tag: {**entry, "annotations": {"org.opencontainers.image.ref.name": tag}}
        (base / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named(tag) for tag in tags]}))

    def add_tags(self, root, repository, image, count):
        self.layout(root, repository, image, tag_names(count))

    def add_repositories(self, root, image, count):
        for name in repository_names(count):
            self.layout(root, name, image, ["latest"])


class Nginx:
    """Not a registry: the same bytes as static files, sent by sendfile, with a worker for each core."""

    name, key = "nginx", "nginx"
    tag_counts = ()

    def __init__(self):
        self.program = program("nginx")

    def start(self, folder, root):
        address = free_address()
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};\n" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        )
        config = folder / "nginx.conf"
        config.write_text(
            f"daemon off; user root; worker_processes auto; pid {folder}/pid; error_log stderr warn;\n"
            "events { worker_connections 4096; }\n"
            f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n{temporary}"
            f"default_type {MANIFEST_TYPE};\n"
            f"server {{ listen {address} backlog=4096; root {root}; }} }}\n"
        )
        command = [self.program, "-c", str(config), "-p", str(folder), "-e", "stderr"]
        server = Server(command, folder, listens(address))
        server.address = address
        return server

    def write(self, root, image):
        base = root / "v2" / APP
        for name in ["manifests", "blobs"]:
            (base / name).mkdir(parents=True)
        for name in ["latest", image.digest]:
            (base / "manifests" / name).write_bytes(image.manifest)
        for blob in image.blobs():
            (base / "blobs" / digest_of(blob)).write_bytes(blob)


def build_zot():
    """zot is a Go module that `go install` refuses (it has replace directives): built in a copy of its source."""
    # With the extension that fetches from upstreams.
    binary = PEERS / "zot-sync"
    if os.access(binary, os.X_OK):
        return str(binary)
    say(f"building zot {ZOT} (some minutes, once)")
    module = f"github.com/project-zot/zot@{ZOT}"
    source = WORK / "zot-source"
    shutil.rmtree(source, ignore_errors=True)
    told = subprocess.run(["go", "mod", "download", "-json", module], check=True, capture_output=True, text=True)
    shutil.copytree(json.loads(told.stdout)["Dir"], source)
    subprocess.run(["chmod", "-R", "u+w", str(source)], check=True)
    PEERS.mkdir(parents=True, exist_ok=True)
    # Without symbols, as its own Makefile builds releases.
    build = ["go", "build", "-mod=mod", "-ldflags", "-s -w", "-tags", "sync,containers_image_openpgp", "-o", str(binary), "./cmd/zot"]
    subprocess.run(build, cwd=source, check=True, env={**os.environ, "GOFLAGS": "-modcacherw"})
    shutil.rmtree(source)
    return str(binary)


# --- filled roots ----------------------------------------------------------------------------------------------


def content_root(kind, image):
    """A root with the image to read; made once."""
    root = WORK / "serve" / kind.key / "content"
    if (root.parent / "content.done").exists():
        return root
    fresh(root)
    if isinstance(kind, Nginx):
        kind.write(root, image)
    else:
        push_into(kind, root, image)
    (root.parent / "content.done").touch()
    return root


def lists_root(kind, image):
    """A root with many tags and many repositories; made once."""
    root = WORK / "serve" / kind.key / "lists"
    if (root.parent / "lists.done").exists():
        return root
    say(f"{kind.key}: writing {sum(kind.tag_counts)} tags and {CATALOG} repositories (once)")
    fresh(root)
    push_into(kind, root, image, [tags_repository(count) for count in kind.tag_counts])
    for count in kind.tag_counts:
        kind.add_tags(root, tags_repository(count), image, count)
    kind.add_repositories(root, image, CATALOG)
    (root.parent / "lists.done").touch()
    return root


def tags_repository(count):
    return f"bench/tags{count}"


def fresh(root):
    """An empty folder."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    return root


def push_into(kind, root, image, also=()):
    folder = root.parent / "run"
    folder.mkdir(exist_ok=True)
    server = kind.start(folder, root)
    try:
        for repository in [APP, *also]:
            image.push(server.address, repository, "latest")
    finally:
        server.stop()
