//! What administrators do with the users and groups of their tenant.
