"""A TLS handshake, to see what a server shows. Nothing is sent over the connection after it."""

import asyncio
import contextlib
import ssl
from datetime import timedelta

from healer.errors import UnavailableError
from healer.kit.certificate import Certificate, parse_der

_GOODBYE = 1.0


async def handshake(
    host: str, port: int, *, server_name: str = "", timeout: timedelta
) -> Certificate:
    """What the server shows to whoever asks for `server_name`, valid or not.

    An UnavailableError where the handshake does not come about in time.
    """
    doing = f"TLS handshake with {host}:{port}"
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            _, writer = await asyncio.open_connection(
                host, port, ssl=_looking(), server_hostname=server_name or host
            )
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        if der is None:
            message = f"{doing}: the server showed no certificate"
            raise UnavailableError(message)
        return parse_der(der)
    except TimeoutError as error:
        message = f"{doing}: not through within {timeout.total_seconds():g} s"
        raise UnavailableError(message) from error
    except (OSError, ValueError) as error:
        message = f"{doing}: {str(error) or type(error).__name__}"
        raise UnavailableError(message) from error
    finally:
        if writer is not None:
            await _part(writer)


async def _part(writer: asyncio.StreamWriter) -> None:
    """Say goodbye as TLS does; a server that does not answer it is left."""
    writer.close()
    try:
        async with asyncio.timeout(_GOODBYE):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


def _looking() -> ssl.SSLContext:
    """Believes nothing, so that a certificate that has expired can be looked at as well."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLError):
        context.set_alpn_protocols(["http/1.1"])
    return context
