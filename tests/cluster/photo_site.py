"""A server with photos inside the cluster: rendered ones, by class, and a list of what was asked.

Classes are closed at first, and then answer 404; a POST of /open/CLASS opens one.
"""

import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.kube import KFP_NAMESPACE, Cluster, restricted

from components import settings

PHOTOS = 40  # of each class
PROGRAM = """
import http.server
from urllib.parse import unquote

from components.download.sample.render import LABELS, render_class

photos = {}
for label in LABELS:
    for photo in render_class(label, COUNT, seed=7):
        if photo.fault is None:
            photos[label, photo.name] = photo.data
opened = set()
asked = []


class Site(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        opened.add(unquote(self.path).removeprefix("/open/"))
        self.answer(200, b"opened")

    def do_GET(self):
        path = unquote(self.path)
        if path == "/asked":
            return self.answer(200, "\\n".join(asked).encode())
        label, _, name = path.strip("/").partition("/")
        if label not in opened or (label, name) not in photos:
            return self.answer(404, b"no such photo")
        asked.append(label)
        self.answer(200, photos[label, name], "image/jpeg")

    def answer(self, status, body, kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("", 8080), Site).serve_forever()
"""


@dataclass
class PhotoSite:
    """The server, once it is up.

    Attributes:
        cluster: that it runs in.
        address: that leads to it from this machine.
    """

    cluster: Cluster
    address: str = field(default="")

    @property
    def host(self) -> str:
        return f"photos.{self.cluster.namespace}.svc.cluster.local"

    def open(self, *labels: str) -> None:
        for label in labels:
            path = urllib.request.pathname2url(f"/open/{label}")
            urllib.request.urlopen(self.address + path, data=b"", timeout=30).close()

    def asked(self) -> list[str]:
        """The class of each photo that was handed out, in order."""
        with urllib.request.urlopen(f"{self.address}/asked", timeout=30) as answer:
            return list(filter(None, answer.read().decode().split("\n")))

    def write_list(self, file: Path, *labels: str) -> Path:
        """A list of addresses for the source `urls`."""
        lines = ["url,label,licence"]
        for label in labels:
            slug = label.replace(" ", "-")
            for number in range(PHOTOS):
                path = urllib.request.pathname2url(f"/{label}/{slug}-{number:03d}.jpg")
                lines.append(f"http://{self.host}{path},{label},cc0")
        file.write_text("\n".join(lines) + "\n")
        return file

    def opening(self) -> Any:
        """What lets pods of ours reach it, beside the policies that they have."""
        name = {"kubernetes.io/metadata.name": self.cluster.namespace}
        ours = {"namespaceSelector": {"matchLabels": name}}
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": self.cluster.namespace, "namespace": KFP_NAMESPACE},
            "spec": {
                "podSelector": {"matchLabels": dict([settings.PART_OF])},
                "policyTypes": ["Egress"],
                "egress": [{"to": [ours], "ports": [{"port": 8080, "protocol": "TCP"}]}],
            },
        }

    def manifests(self) -> list[Any]:
        program = PROGRAM.replace("COUNT", str(PHOTOS))
        labels = {"app": "photos"}
        container = {
            "name": "photos",
            "image": settings.DATA_IMAGE,
            "command": ["python", "-c", program],
            "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/asked", "port": 8080}},
        }
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "photos"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": restricted(container)},
            },
        }
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "photos"},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        }
        return [deployment, service]
