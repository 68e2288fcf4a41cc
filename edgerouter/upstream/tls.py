"""TLS towards upstreams: always verified, TLS 1.2 or newer, and nothing from the environment (S41, S42)."""

import ssl
from pathlib import Path

import certifi


def client_context(
    ca: Path | None = None, cert: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """A context that trusts `ca` (PEM) alone, or the system's authorities; `cert` and `key` are ours.

    Raises OSError (ssl.SSLError included) when a file cannot be read or is not PEM. Blocking: call it at
    start or in a thread.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca is None:
        _trust_the_system(context)
    else:
        context.load_verify_locations(ca)
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context


def _trust_the_system(context: ssl.SSLContext) -> None:
    # The paths OpenSSL was built with: its default ones would follow SSL_CERT_FILE and SSL_CERT_DIR.
    paths = ssl.get_default_verify_paths()
    file, folder = Path(paths.openssl_cafile), Path(paths.openssl_capath)
    if folder.is_dir() and any(folder.iterdir()):
        context.load_verify_locations(capath=folder)
    elif file.is_file():
        context.load_verify_locations(cafile=file)
    else:
        context.load_verify_locations(cafile=certifi.where())
