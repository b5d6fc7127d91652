"""What the site does to the pages, which are written to be read in the repository.

Links that leave docs/ become names of files, diagrams become the pictures that ``make diagrams`` draws, and
words of inline code, such as ``--include-open``, are not broken.
"""

import hashlib
import re

MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LEAVES = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#]+)(#[^)]*)?\)")
_CODE = re.compile(r"(?<!<pre>)(?<!</span>)<code>([^<]+)</code>")
_WORD = re.compile(r"\S{2,}")
_LONGEST = 34
"""Letters of a word that is kept whole; a longer one, and a path, breaks behind a part of it."""


def on_page_markdown(markdown, page, **_):
    """Name the file of the repository in place of a link to it, which the site does not hold."""
    depth = page.file.src_uri.count("/")

    def named(match):
        text, target, _anchor = match.groups()
        if target.count("../") <= depth:
            return match[0]
        path = target.replace("../", "")
        if path in text:
            return text
        return f"`{path}`" if path.endswith(text.strip("`")) else f"{text} (`{path}`)"

    def drawn(match):
        picture = f"{'../' * depth}diagrams/{picture_of(match[1])}"
        return f"[![diagram; a click enlarges it]({picture})]({picture})"

    return MERMAID.sub(drawn, _LEAVES.sub(named, markdown))


def picture_of(text):
    """Return the name of a diagram's picture."""
    return f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.svg"


def on_page_content(html, **_):
    """Keep the words of inline code whole: a browser breaks ``--end`` after its first hyphen."""

    def kept(match):
        return f"<code>{_WORD.sub(_whole, match[1])}</code>"

    return _CODE.sub(kept, html)


def _whole(match):
    word = match[0]
    if len(word) > _LONGEST:
        return re.sub(r"(/|::|_)(?=\w)", r"\1<wbr>", word)
    if "/" in word:
        return re.sub(r"/(?=\w)", "/<wbr>", word)
    return f'<span class="word">{word}</span>' if "-" in word or "_" in word else word
