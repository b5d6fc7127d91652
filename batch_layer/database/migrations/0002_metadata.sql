-- What is known about an instrument: one row a field, superseded values kept with their loads.

CREATE TABLE metadata (
    instrument_id int4 NOT NULL REFERENCES instruments,
    field         text NOT NULL,
    value         text NOT NULL,
    load_id       int4 NOT NULL REFERENCES loads,
    PRIMARY KEY (instrument_id, field)
);
CREATE INDEX metadata_figi ON metadata (value) WHERE field = 'figi';

CREATE TABLE metadata_revisions (
    instrument_id int4 NOT NULL,
    field         text NOT NULL,
    value         text NOT NULL,
    load_id       int4 NOT NULL,
    superseded_by int4 NOT NULL,
    PRIMARY KEY (instrument_id, field, load_id)
);
