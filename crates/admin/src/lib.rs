//! Administration: declared state and its application, users, applications, APIs, roles and keys
