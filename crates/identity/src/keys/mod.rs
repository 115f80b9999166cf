//! API keys: passwords for software.
