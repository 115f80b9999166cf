//! Calls out of the house: HTTP services and programs that answer for an endpoint, within limits.
