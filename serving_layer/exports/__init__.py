"""Daily bars in the files of other programs: zipline's csvdir, Lean's data folder, qlib's files."""
