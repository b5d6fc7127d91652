-- Yahoo's charts of the sixties and seventies give an open of 0 beside good prices: the open is unknown, the bar is not.

ALTER TABLE daily_bars ALTER COLUMN open DROP NOT NULL;
ALTER TABLE daily_bar_revisions ALTER COLUMN open DROP NOT NULL;
ALTER TABLE bars ALTER COLUMN open DROP NOT NULL;
