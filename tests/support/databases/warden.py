"""Ends a server when the tests end, however they end: the kernel closes the pipe even of a killed process.

    python warden.py DIRECTORY COMMAND...

waits for the end of standard input, runs the command that stops the server, and removes the directory.
"""

import shutil
import subprocess
import sys


def main():
    directory, *command = sys.argv[1:]
    sys.stdin.read()
    subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    shutil.rmtree(directory)


if __name__ == "__main__":
    main()
