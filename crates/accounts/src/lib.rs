//! Users, passwords, resets and throttling as pure rules
