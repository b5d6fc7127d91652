-- Views of one version of a published data set, for DuckDB 1.1 or later; no Python is needed.
--
--     duckdb -cmd "SET VARIABLE published = '/path/to/published'" -cmd ".read published.sql"
--
-- "published" is the directory or the s3:// address that condvest publish writes to; "published" beside you if it
-- is not set. The manifest is read once, at the beginning, so all views are of one version, and stay with it while
-- newer ones are published: run the script again to have the newest. For an earlier version, as long as it is
-- kept, set "manifest", too:
--
--     SET VARIABLE manifest = 'manifests/00000007.json'

SET VARIABLE published = coalesce(getvariable('published'), 'published');
SET VARIABLE manifest_path = getvariable('published') || '/' || coalesce(getvariable('manifest'), 'manifest.json');
SET VARIABLE manifest_text = coalesce(
    (SELECT content FROM read_text(getvariable('manifest_path'))),
    error('nothing is published here, there is no ' || getvariable('manifest_path') || ': SET VARIABLE published first')
);

CREATE OR REPLACE TEMP MACRO published_files(name) AS [
    getvariable('published') || '/' || path
    FOR path IN json_extract_string(getvariable('manifest_text'), '$.files.' || name || '[*].path')
];

-- Which version this is, and the last load of the database that it holds.
CREATE OR REPLACE TEMP VIEW published_version AS
SELECT
    json_extract(getvariable('manifest_text'), '$.version')::INTEGER AS version,
    json_extract_string(getvariable('manifest_text'), '$.published_at')::TIMESTAMPTZ AS published_at,
    json_extract(getvariable('manifest_text'), '$.through_load')::BIGINT AS through_load;

CREATE OR REPLACE TEMP VIEW instruments AS FROM read_parquet(published_files('instruments'));
CREATE OR REPLACE TEMP VIEW symbols AS FROM read_parquet(published_files('symbols'));
CREATE OR REPLACE TEMP VIEW splits AS FROM read_parquet(published_files('splits'));
CREATE OR REPLACE TEMP VIEW dividends AS FROM read_parquet(published_files('dividends'));
CREATE OR REPLACE TEMP VIEW sessions AS FROM read_parquet(published_files('sessions'));
CREATE OR REPLACE TEMP VIEW daily_bars AS FROM read_parquet(published_files('daily_bars'));
CREATE OR REPLACE TEMP VIEW bars_3 AS FROM read_parquet(published_files('bars_3'));
CREATE OR REPLACE TEMP VIEW bars_5 AS FROM read_parquet(published_files('bars_5'));
CREATE OR REPLACE TEMP VIEW bars_8 AS FROM read_parquet(published_files('bars_8'));
CREATE OR REPLACE TEMP VIEW bars_13 AS FROM read_parquet(published_files('bars_13'));
CREATE OR REPLACE TEMP VIEW bars_21 AS FROM read_parquet(published_files('bars_21'));
CREATE OR REPLACE TEMP VIEW bars_34 AS FROM read_parquet(published_files('bars_34'));
