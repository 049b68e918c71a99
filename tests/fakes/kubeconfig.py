"""Kubeconfig files for tests: one cluster, one user with a token."""

from pathlib import Path

import orjson


def write_kubeconfig(
    file: Path, *, server: str, token: str = "token-of-a-test", ca: str = ""
) -> Path:
    """A kubeconfig at `file` (JSON is YAML); `ca` is the path of the server's certificate."""
    cluster = {"server": server} | ({"certificate-authority": ca} if ca else {})
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "healer", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "healer"}}],
        "current-context": "lab",
    }
    file.write_bytes(orjson.dumps(content))
    return file
