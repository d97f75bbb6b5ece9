//! Whether a report says what became of a run.
