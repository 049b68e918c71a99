"""TLS of the edge: our certificate, and the authority of client certificates where one is set."""

import ssl
from pathlib import Path


def context(
    *, certificate: Path, key: Path, client_authority: Path | None = None
) -> ssl.SSLContext:
    """For the listening socket. Client certificates stay optional: kubelet's probes have none.

    Whether one was shown is asked by `auth.WebhookDoor`. A renewed certificate is taken up by
    calling `load_cert_chain` on the context again.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(certificate, key)
    if client_authority is not None:
        made.load_verify_locations(client_authority)
        made.verify_mode = ssl.CERT_OPTIONAL
    return made
