-- Which version of a provider's published files was loaded: a file may be published anew.

CREATE TABLE published_files (
    provider_id int2 NOT NULL REFERENCES providers,
    name        text NOT NULL,
    etag        text NOT NULL,
    fetched_at  timestamptz NOT NULL,
    PRIMARY KEY (provider_id, name)
);
