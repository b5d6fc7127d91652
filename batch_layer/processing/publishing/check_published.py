"""Service: hold published files against the digests that their manifests name, and name what has none."""

from __future__ import annotations

import random
from collections.abc import Iterator

from condvest.batch_layer.shared.errors import PublishedError, PublishedUnavailable
from condvest.batch_layer.shared.published.digests import damaged
from condvest.batch_layer.shared.published.manifest import CURRENT, PublishedFile
from condvest.batch_layer.shared.published.target import PublishTarget
from condvest.batch_layer.shared.published.versions import manifests_of


def check_published(target: PublishTarget, sample: int | None, seed: int) -> Iterator[tuple[str, str]]:
    """Yield, of all versions that are kept, each file whose bytes are not those that its manifest names.

    Yields path and problem. Nothing if nothing is published there. Where the current manifest names no
    digest of a footer, as those of early Condvests do, its readers cannot know a damaged one: that is a
    problem, too. It is none of older versions, which nothing can mend and which go by themselves.

    Args:
        target: where the data set is.
        sample: how many files to look at, chosen at random; all if None.
        seed: makes the choice repeatable.
    """
    files: dict[str, PublishedFile] = {}
    versions: dict[str, int] = {}
    try:
        manifests = manifests_of(target)
        for manifest in manifests:
            for file in manifest.all_files():
                files[file.path], versions[file.path] = file, manifest.version
    except (PublishedError, PublishedUnavailable) as error:
        yield CURRENT, str(error)
        return
    chosen = sorted(files.values(), key=lambda file: file.path)
    if sample is not None and sample < len(chosen):
        chosen = random.Random(seed).sample(chosen, sample)  # noqa: S311  # a sample, not a secret
    current = max(versions.values(), default=0)
    for path, problem in sorted(damaged(target, chosen).items()):
        to_do = "run condvest publish --check, it writes the file anew"
        if versions[path] != current:
            to_do = f"only version {versions[path]} needs it, which is no longer current"
        yield path, f"{problem} (in {target.name}); {to_do}"
    if manifests and (unnamed := manifests[-1].without_footer()):
        problem = (
            f"names no digest of the footers of {len(unnamed)} files (in {target.name}), as an earlier "
            "Condvest left it: who reads them cannot know whether rows are hidden by damage; run condvest "
            "publish, it looks at each file and names them"
        )
        yield CURRENT, problem
