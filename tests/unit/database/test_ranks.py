"""Who gives way to whom."""

from condvest.batch_layer.database.stores.identity.instruments import rank_of


def test_the_sample_yields_to_vendors_and_vendors_to_what_a_user_imports():
    assert rank_of("sample") < rank_of("yahoo") < rank_of("massive") < rank_of("file")


def test_every_name_that_is_no_vendors_is_an_import():
    assert rank_of("my own") == rank_of("file")
