//! Accounts at outside providers: linked, used to log in, exchanged.
