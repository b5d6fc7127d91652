"""The fields of metadata are listed once, and everything that names them agrees."""

from dataclasses import fields
from pathlib import Path

from condvest.batch_layer.shared.models.given.payload_rows import InstrumentRows
from condvest.batch_layer.shared.models.instruments.metadata import METADATA

DICTIONARY = Path(__file__).parents[3] / "docs" / "data-dictionary.md"


def test_a_listing_has_one_column_per_field():
    assert {field.name for field in fields(InstrumentRows)} == {"line", "symbol", "active", *METADATA}


def test_the_data_dictionary_names_every_field():
    section = DICTIONARY.read_text().split("\n## metadata\n")[1].split("\n## ")[0]
    assert [name for name in METADATA if f"`{name}`" not in section] == []
