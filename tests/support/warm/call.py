"""Started in place of a program that ``forked.py`` forks: hands itself over, and ends as that does.

``python -IS call.py SOCKET PROGRAM WORDS...``; where the fork would not be the same, it becomes the program.
"""

import os
import signal
import socket
import sys

with socket.socket(socket.AF_UNIX) as warm:
    warm.connect(sys.argv[1])

    def pass_on(number, _):
        """Let the program have the signal."""
        warm.send(bytes([number]))

    words = [os.fsencode(word) for word in sys.argv[2:]]
    variables = [name + b"=" + value for name, value in os.environb.items()]
    caller = b"\0\1\0".join(map(b"\0".join, (words, variables, [os.fsencode(os.getcwd())])))  # noqa: PTH109
    socket.send_fds(warm, [caller + b"\0\0"], [0, 1, 2])
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, pass_on)
    said = warm.recv(4)
if said == b"not":
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
sys.exit(said[0] if said else 255)
