//! Content formats: each one file with a reader (bytes to records) and a writer (records to
//! bytes).
