"""The contract between `condvest publish` and every reader of the published Parquet files."""
