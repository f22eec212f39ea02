"""A name server for the hosts of a test: it knows the names that it is told, and answers at once."""

import contextlib
import ipaddress
import struct
import threading

_A, _AAAA, _IN = 1, 28, 1
_NO_SUCH_NAME = 3


def answer(query, names):
    """The answer to a query of DNS. `names`: name → address."""
    number, _, _, *_ = struct.unpack("!6H", query[:12])
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1:at + 1 + length].decode())
        at += 1 + length
    kind, _ = struct.unpack("!HH", query[at + 1:at + 5])
    question = query[12:at + 5]
    known = names.get(".".join(labels).lower())
    records = b""
    if known:
        address = ipaddress.ip_address(known)
        if kind == (_A if address.version == 4 else _AAAA):
            records = struct.pack("!HHHIH", 0xC00C, kind, _IN, 0, len(address.packed)) + address.packed
    code = 0 if known else _NO_SUCH_NAME
    return struct.pack("!6H", number, 0x8580 | code, 1, bool(records), 0, 0) + question + records


class NameServer:
    """Serves on a socket of UDP until it is ended. What `names` has may be changed meanwhile."""

    def __init__(self, socket):
        self.socket, self.names = socket, {}
        self.socket.settimeout(0.1)
        self.over = False
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while not self.over:
            with contextlib.suppress(OSError, IndexError, struct.error, UnicodeDecodeError):
                query, client = self.socket.recvfrom(4096)
                self.socket.sendto(answer(query, dict(self.names)), client)

    def end(self):
        self.over = True
        self.thread.join()
        self.socket.close()
