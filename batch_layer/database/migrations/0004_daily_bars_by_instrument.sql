-- Daily bars in sixteen partitions by instrument: the history of some of the instruments lies in few pages, though
-- the rows come session by session. PostgreSQL gives such a table no key of its own; each partition has one.

-- In a schema of its own the table of before keeps the names of its constraints to itself.
CREATE SCHEMA condvest_before;
ALTER TABLE daily_bars SET SCHEMA condvest_before;

CREATE TABLE daily_bars (
    instrument_id int4 NOT NULL,
    ordinal       int4 NOT NULL,
    open          float8 NOT NULL,
    high          float8 NOT NULL,
    low           float8 NOT NULL,
    close         float8 NOT NULL,
    volume        float8 NOT NULL,
    vwap          float8,
    trades        int8,
    load_id       int4 NOT NULL,
    CHECK (0 < low AND low <= open AND low <= close AND open <= high AND close <= high
           AND high < 'infinity' AND 0 <= volume AND volume < 'infinity')
) PARTITION BY LIST ((instrument_id % 16));
CREATE TABLE daily_bars_0 PARTITION OF daily_bars FOR VALUES IN (0);
CREATE TABLE daily_bars_1 PARTITION OF daily_bars FOR VALUES IN (1);
CREATE TABLE daily_bars_2 PARTITION OF daily_bars FOR VALUES IN (2);
CREATE TABLE daily_bars_3 PARTITION OF daily_bars FOR VALUES IN (3);
CREATE TABLE daily_bars_4 PARTITION OF daily_bars FOR VALUES IN (4);
CREATE TABLE daily_bars_5 PARTITION OF daily_bars FOR VALUES IN (5);
CREATE TABLE daily_bars_6 PARTITION OF daily_bars FOR VALUES IN (6);
CREATE TABLE daily_bars_7 PARTITION OF daily_bars FOR VALUES IN (7);
CREATE TABLE daily_bars_8 PARTITION OF daily_bars FOR VALUES IN (8);
CREATE TABLE daily_bars_9 PARTITION OF daily_bars FOR VALUES IN (9);
CREATE TABLE daily_bars_10 PARTITION OF daily_bars FOR VALUES IN (10);
CREATE TABLE daily_bars_11 PARTITION OF daily_bars FOR VALUES IN (11);
CREATE TABLE daily_bars_12 PARTITION OF daily_bars FOR VALUES IN (12);
CREATE TABLE daily_bars_13 PARTITION OF daily_bars FOR VALUES IN (13);
CREATE TABLE daily_bars_14 PARTITION OF daily_bars FOR VALUES IN (14);
CREATE TABLE daily_bars_15 PARTITION OF daily_bars FOR VALUES IN (15);

INSERT INTO daily_bars SELECT * FROM condvest_before.daily_bars ORDER BY instrument_id, ordinal;
DROP TABLE condvest_before.daily_bars;
DROP SCHEMA condvest_before;

ALTER TABLE daily_bars_0 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_1 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_2 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_3 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_4 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_5 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_6 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_7 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_8 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_9 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_10 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_11 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_12 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_13 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_14 ADD PRIMARY KEY (instrument_id, ordinal);
ALTER TABLE daily_bars_15 ADD PRIMARY KEY (instrument_id, ordinal);
