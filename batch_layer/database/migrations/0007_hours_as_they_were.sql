-- Late opens beside the early closes, and by whose word the sessions stand. SQL does not know the hours: the next
-- command that extends the calendar corrects those of all sessions (of every one before 1985), without touching a
-- date or an ordinal, and makes the first row of calendar_sources. Until then no open counts as late.

ALTER TABLE sessions ADD COLUMN late_open bool NOT NULL DEFAULT false;
ALTER TABLE sessions ALTER COLUMN late_open DROP DEFAULT;

CREATE TABLE calendar_sources (
    source_id      int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    library        text NOT NULL,
    second_library text,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
