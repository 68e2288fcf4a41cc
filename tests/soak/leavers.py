"""Clients who ask for something and leave before it has come: what they leave behind must go too."""

import random
import socket
import struct
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.soak.origin import Origin


class Leavers:
    """One thread that comes and goes; `left` counts how often."""

    def __init__(self, origin: Origin, url: str, seed: int) -> None:
        self.left = 0
        self._targets = list(origin.truth)
        address = urlsplit(url)
        self._address = (address.hostname or "127.0.0.1", address.port or 80)
        self._chance = random.Random(f"{seed} leaving")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._come_and_go, name="leaver")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _come_and_go(self) -> None:
        while not self._over.is_set():
            target = self._chance.choice(self._targets)
            head = f"GET /dicomweb{target.path} HTTP/1.1\r\nHost: edge\r\nAccept: {target.accept}\r\n\r\n"
            with socket.create_connection(self._address, 10) as client:
                client.sendall(head.encode())
                client.recv(self._chance.choice([1, 100, 100_000]))
                if self._chance.random() < 0.5:  # RST
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.left += 1
