//! The issuer: OAuth endpoints, the session API, hosted pages
