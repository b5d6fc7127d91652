"""Reports on the data: what there is, what lacks, what looks wrong, how fresh it is."""
