"""Docker, as far as build_container.sh uses it: keeps what an image holds beside its base, pushes nowhere.

IMAGES names the folder of the images: of each its digest's 64 digits, with the build context in it. The
digest is made of the tag, which is the hash of the content.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path


def main(words):
    """Do as the command says, return its code; what would talk to a registry or daemon does nothing."""
    if words[0] == "login":
        sys.stdin.read()
    elif words[0] == "pull":
        return 0 if place(words[-1]).exists() else 1
    elif words[0] == "build":
        target = place(words[words.index("--tag") + 1])
        if not target.exists():
            shutil.copytree(words[-1], target)
    elif words[:2] == ["image", "inspect"]:
        print(f"{words[-1].rpartition(':')[0]}@sha256:{place(words[-1]).name}")
    return 0


def place(tagged):
    """Return the folder of the image with that tag."""
    content = tagged.rpartition(":")[2]
    return Path(os.environ["IMAGES"], hashlib.sha256(content.encode()).hexdigest())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
