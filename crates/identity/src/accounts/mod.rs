//! What users do with their own account: profile, password, e-mail address.

mod register;
