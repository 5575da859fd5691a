//! The reverse proxy in front of the backend: moves bytes, asks policy
