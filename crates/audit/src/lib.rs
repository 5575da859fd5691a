//! The auditor: proves each measure from outside, by evidence, and knows no other room
