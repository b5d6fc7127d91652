"""What commands write: messages, progress, tables and summaries for people; data for programs."""
