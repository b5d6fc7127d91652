"""One connection of HTTP/1.1 over which bytes are sent as they are, and answers are read one by one."""

import socket
from urllib.parse import urlsplit


class Connection:
    """One connection, over which bytes are sent as they are."""

    def __init__(self, address):
        where = urlsplit(address)
        self.socket = socket.create_connection((where.hostname, where.port), timeout=30)
        self._came = bytearray()

    def send(self, content):
        self.socket.sendall(content)

    def answer(self, *, has_body=True):
        """Return the status, the headers and the body of the next answer."""
        while b"\r\n\r\n" not in self._came:
            self._more()
        head, *_ = self._came.partition(b"\r\n\r\n")
        del self._came[: len(head) + 4]
        line, *lines = head.decode().split("\r\n")
        assert line.startswith("HTTP/1.1 "), line
        headers = dict(each.split(": ", 1) for each in lines)
        length = int(headers.get("content-length", 0)) if has_body else 0
        while len(self._came) < length:
            self._more()
        body = bytes(self._came[:length])
        del self._came[:length]
        return int(line.split()[1]), headers, body

    def ask(self, content, **how):
        self.send(content)
        return self.answer(**how)

    def wait(self):
        """Wait until something has come."""
        if not self._came:
            self._more()

    def _more(self):
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise ConnectionError
        self._came += piece
