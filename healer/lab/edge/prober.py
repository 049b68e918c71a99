"""What the blackbox exporter is to a cluster: a handshake for every scrape, told as a metric.

`GET /probe?target=host:port&name=host` speaks TLS with the target, whether its certificate is valid
or not (`insecure_skip_verify`), and tells when the first of its certificates expires.
"""

import argparse
import socket
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from cryptography import x509

PATIENCE = 0.9
"""Seconds; scrapes of the lab wait one."""


def expiry(target: str, name: str) -> float:
    """Seconds since the epoch; an OSError or ValueError where the handshake does not come about."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    host, _, port = target.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=name or host) as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
    if shown is None:
        raise ValueError("no certificate was shown")
    return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp()


class Prober(BaseHTTPRequestHandler):
    """Answers scrapes."""

    def do_GET(self) -> None:
        """One probe."""
        asked = parse_qs(urlsplit(self.path).query)
        target, name = (asked.get(one, [""])[0] for one in ("target", "name"))
        lines = ["probe_success 1"]
        try:
            if target:
                lines.append(f"probe_ssl_earliest_cert_expiry {expiry(target, name)}")
        except (OSError, ValueError):
            lines = ["probe_success 0"]
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base calls it so
        """Scrapes are not worth a line."""


def main() -> None:
    """prober --host H --port P."""
    parser = argparse.ArgumentParser(prog="prober")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    ThreadingHTTPServer((given.host, given.port), Prober).serve_forever()


if __name__ == "__main__":
    main()
