//! Servers, mailboxes, databases and clients for tests
