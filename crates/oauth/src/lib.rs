//! OAuth 2: requests, clients, grants, access tokens and metadata as pure decisions
