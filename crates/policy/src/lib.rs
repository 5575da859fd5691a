//! The one decision at the gateway: path, rule, caller, scopes, origin, permit
