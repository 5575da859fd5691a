create schema if not exists portcullis;

-- Which roles are ours, and which generation each of them has. rotate() and retire() touch no role that has no row here.
create table if not exists portcullis.slot (
    role_name   text primary key,
    kind        text not null check (kind in ('owner', 'slot', 'legacy', 'administrator')),
    generation  bigint not null default 0 check (generation >= 0),
    fingerprint text,
    set_at      timestamptz,
    valid_until timestamptz,
    retired_at  timestamptz
);

-- One row a role and generation, never changed: the history of passwords, without the passwords.
-- fingerprint: SHA-256 of the stored verifier, in hexadecimal. valid_until: NULL where the password does not end.
create table if not exists portcullis.rotation (
    role_name   text not null,
    generation  bigint not null,
    fingerprint text not null,
    set_at      timestamptz not null,
    valid_until timestamptz,
    primary key (role_name, generation)
);

-- What gives the former role back its settings, for whoever undoes the adoption.
create table if not exists portcullis.reversal (
    sql text primary key
);
