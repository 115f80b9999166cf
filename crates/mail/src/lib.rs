//! How Insula sends letters.
