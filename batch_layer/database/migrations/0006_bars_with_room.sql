-- Room in each page for another version of each of its bars. A bar is written anew every night until its window is
-- over; where the new version fits beside the old one, the key needs no new entry, and the place of the version
-- before is used again without a vacuum. It holds for pages that nights fill; those of a history that is built at
-- once are full.

ALTER TABLE bars_3 SET (fillfactor = 50);
ALTER TABLE bars_5 SET (fillfactor = 50);
ALTER TABLE bars_8 SET (fillfactor = 50);
ALTER TABLE bars_13 SET (fillfactor = 50);
ALTER TABLE bars_21 SET (fillfactor = 50);
ALTER TABLE bars_34 SET (fillfactor = 50);
