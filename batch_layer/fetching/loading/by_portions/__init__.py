"""Large files, loaded portion by portion in one transaction."""
