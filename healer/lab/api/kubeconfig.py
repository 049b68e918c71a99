"""A kubeconfig for the lab's API server, as a value; JSON of it is a valid file."""

import base64

from healer.lab.contract import Object


def kubeconfig(url: str, token: str, *, namespace: str = "default", ca: bytes = b"") -> Object:
    """One cluster, one user, one context. `ca` is the server's certificate as PEM.

    kubectl sends no token over plain HTTP, so for it the server needs TLS.
    """
    cluster = {"server": url}
    if ca:
        cluster["certificate-authority-data"] = base64.b64encode(ca).decode()
    context = {"cluster": "lab", "user": "lab", "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "lab", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": context}],
        "current-context": "lab",
    }
