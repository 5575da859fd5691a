//! One store on SQLCipher and PostgreSQL: entities, queries and migrations once
