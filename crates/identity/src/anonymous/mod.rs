//! Users without a credential, and how they become registered ones.
