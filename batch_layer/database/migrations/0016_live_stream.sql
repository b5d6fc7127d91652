-- readable from: 15
-- What a run that follows a stream knows of itself beside what a polling one does.

ALTER TABLE live_runs
    ADD COLUMN connections int4 NOT NULL DEFAULT 0,
    ADD COLUMN journal     text,
    ADD COLUMN records     int8 NOT NULL DEFAULT 0,
    ADD COLUMN drifted     int8 NOT NULL DEFAULT 0;
