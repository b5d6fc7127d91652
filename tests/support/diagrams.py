"""Draw the diagrams of docs/ that are written for Mermaid: ``make diagrams``. So the site asks no other host.

A picture is named by the digest of its text; docs/site_hooks.py puts it where the text stands.
"""

import re
import runpy
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.support.browser import chromium

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MERMAID = "mermaid@11.17.2"
HOOKS = runpy.run_path(str(DOCS / "site_hooks.py"))

DRAW = """
const [text, done] = arguments;
mermaid.initialize({startOnLoad: false, theme: "neutral"});
mermaid.render("drawn", text).then(({svg}) => done(svg), (error) => done(String(error)));
"""


def texts():
    """Return the text of every diagram by the name of its picture."""
    pages = [page.read_text() for page in sorted(DOCS.rglob("*.md"))]
    return {HOOKS["picture_of"](text): text for page in pages for text in HOOKS["MERMAID"].findall(page)}


def main():
    """Draw what has changed, and remove what is not wanted any more."""
    pictures = DOCS / "diagrams"
    pictures.mkdir(exist_ok=True)
    wanted = texts()
    for path in pictures.iterdir():
        if path.name not in wanted:
            path.unlink()
    missing = [name for name in wanted if not (pictures / name).exists()]
    with tempfile.TemporaryDirectory() as folder, chromium() as page:
        packing = ["npm", "pack", "--silent", MERMAID]
        packed = subprocess.run(packing, cwd=folder, check=True, capture_output=True, text=True)
        with tarfile.open(Path(folder) / packed.stdout.split()[-1]) as archive:
            program = archive.extractfile("package/dist/mermaid.min.js").read()
        (Path(folder) / "mermaid.js").write_bytes(program)
        (Path(folder) / "page.html").write_text('<script src="mermaid.js"></script>')
        page.driver.get(f"file://{folder}/page.html")
        for name in missing:
            svg = page.driver.execute_async_script(DRAW, wanted[name])
            assert svg.startswith("<svg"), svg
            (pictures / name).write_text(re.sub(r"<br\s*>", "<br/>", svg) + "\n")
            print(f"docs/diagrams/{name}")


if __name__ == "__main__":
    main()
