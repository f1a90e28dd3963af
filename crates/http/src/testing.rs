//! A server for tests that answers as it is told.
