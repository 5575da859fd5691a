//! JWS, JWK and JWT in the compact form: strict, closed over known algorithms, keys parsed once
