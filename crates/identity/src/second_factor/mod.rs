//! The second factor of a log in: time-based codes (RFC 6238) and recovery codes.
