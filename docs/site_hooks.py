"""What the site does to the pages, which are written to be read in the repository: links that leave docs/."""

import re

_LEAVES = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#]+)(#[^)]*)?\)")


def on_page_markdown(markdown, page, **_):
    """Name the file of the repository in place of a link to it, which the site does not hold."""
    depth = page.file.src_uri.count("/")

    def named(match):
        text, target, _anchor = match.groups()
        if target.count("../") <= depth:
            return match[0]
        path = target.replace("../", "")
        return text if path in text else f"{text} (`{path}`)"

    return _LEAVES.sub(named, markdown)
