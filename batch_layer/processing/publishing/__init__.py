"""Publishing the stored bars as versioned Parquet files."""
