//! What stands in the way of an adoption: pure, from what was read of the role and the server.

use super::Refusal;
use crate::ledger::{Kind, Names, Server};
use crate::sql::identifier;

/// What the server says of today's role.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "these are pg_roles' own columns")]
pub(super) struct Role {
    pub(super) can_login: bool,
    pub(super) inherits: bool,
    pub(super) superuser: bool,
    pub(super) creates_databases: bool,
    pub(super) creates_roles: bool,
    pub(super) replicates: bool,
    pub(super) bypasses_policies: bool,
    pub(super) connection_limit: i32,
    /// The value of its own `SET role`.
    pub(super) acts_as: Option<String>,
    /// Whether the administrator may administer it.
    pub(super) administered: bool,
}

/// What the server says of the names that adoption wants.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    /// Which of the owner role and the slots exist.
    pub(super) roles: Vec<String>,
    /// The comment on the owner role, where there is one.
    pub(super) comment: Option<String>,
    /// Whether a schema `portcullis` is there without our ledger.
    pub(super) foreign_schema: bool,
    /// Whether the administrator may make a schema in the database.
    pub(super) may_create: bool,
}

/// The comment that marks an owner role as ours: it names the database with the ledger.
pub(super) fn mark(names: &Names, home: &str) -> String {
    format!("portcullis: owns what {} owned; its ledger is in database {home}", names.legacy)
}

/// Everything that stands in the way, for a database that is not adopted yet.
pub(super) fn refusals(
    server: &Server,
    names: &Names,
    home: &str,
    role: &Role,
    taken: &Taken,
) -> Vec<Refusal> {
    let mut all = Vec::new();
    let mut refuse = |what: String, remedy: String| all.push(Refusal { what, remedy });
    let legacy = identifier(&names.legacy);
    if server.version < 150_000 {
        refuse("the server is older than PostgreSQL 15".into(), "upgrade it: 14 gets no more repairs".into());
    }
    if !role.can_login {
        refuse(
            format!("role {legacy} cannot log in"),
            "name the role that the application logs in as".into(),
        );
    }
    if names.legacy_kind == Kind::Legacy {
        if !role.inherits {
            refuse(format!("role {legacy} is NOINHERIT"), format!("ALTER ROLE {legacy} INHERIT"));
        }
        if let Some(other) = role.acts_as.as_ref().filter(|other| **other != names.owner) {
            refuse(
                format!("role {legacy} acts as {other} (ALTER ROLE … SET role)"),
                format!("ALTER ROLE {legacy} RESET role, and give it what {other} owns"),
            );
        }
        for (has, attribute) in [
            (role.creates_databases, "CREATEDB"),
            (role.creates_roles, "CREATEROLE"),
            (role.replicates, "REPLICATION"),
            (role.bypasses_policies, "BYPASSRLS"),
        ] {
            if has {
                refuse(
                    format!(
                        "role {legacy} has {attribute}, which an application's role should not have and is not handed on"
                    ),
                    format!("ALTER ROLE {legacy} NO{attribute}"),
                );
            }
        }
    }
    let ours = taken.comment.as_deref() == Some(&*mark(names, home));
    if !ours {
        if let Some(comment) = taken.comment.as_ref().filter(|comment| comment.starts_with("portcullis: ")) {
            refuse(
                format!("role {legacy} is adopted already ({})", comment.trim_start_matches("portcullis: ")),
                "one role is looked after in one place: give this database a role of its own".into(),
            );
        } else {
            for name in &taken.roles {
                refuse(
                    format!("a role {} exists already, and is not ours", identifier(name)),
                    format!("rename it, or drop it: adoption makes {name}"),
                );
            }
        }
    }
    if taken.foreign_schema {
        refuse(
            format!("database {home} has a schema portcullis that is not ours"),
            "rename it: the ledger is called so".into(),
        );
    }
    if !server.superuser {
        let administrator = identifier(&server.administrator);
        if !role.administered {
            refuse(
                format!("{administrator} may not change role {legacy}"),
                format!(
                    "as a superuser: GRANT {legacy} TO {administrator} WITH ADMIN OPTION, and CREATEROLE"
                ),
            );
        }
        if !taken.may_create {
            refuse(
                format!("{administrator} may not make a schema in database {home}"),
                format!("GRANT CREATE ON DATABASE {} TO {administrator}", identifier(home)),
            );
        }
        if role.superuser {
            refuse(
                format!("role {legacy} is a superuser and {administrator} is not"),
                "adopt with a superuser's credential".into(),
            );
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server {
            version: 150_018,
            administrator: "postgres".into(),
            superuser: true,
            reads_passwords: true,
            rotator_exists: false,
            auditor_exists: false,
        }
    }

    fn role() -> Role {
        Role { can_login: true, inherits: true, administered: true, connection_limit: -1, ..Role::default() }
    }

    fn refused(server: &Server, kind: Kind, role: &Role, taken: &Taken) -> Vec<String> {
        let names = Names::of("app", kind).expect("a short name");
        refusals(server, &names, "shop", role, taken).into_iter().map(|refusal| refusal.to_string()).collect()
    }

    #[test]
    fn an_ordinary_role_is_adopted() {
        assert!(refused(&server(), Kind::Legacy, &role(), &Taken::default()).is_empty());
    }

    #[test]
    fn each_obstacle_is_named_with_its_remedy() {
        let ordinary = Taken::default();
        let cases: [(Server, Role, Taken, &str); 9] = [
            (Server { version: 140_000, ..server() }, role(), ordinary.clone(), "older than PostgreSQL 15"),
            (server(), Role { can_login: false, ..role() }, ordinary.clone(), "cannot log in"),
            (server(), Role { inherits: false, ..role() }, ordinary.clone(), "ALTER ROLE \"app\" INHERIT"),
            (server(), Role { creates_databases: true, ..role() }, ordinary.clone(), "NOCREATEDB"),
            (server(), Role { replicates: true, ..role() }, ordinary.clone(), "NOREPLICATION"),
            (server(), Role { acts_as: Some("x".into()), ..role() }, ordinary.clone(), "RESET role"),
            (
                server(),
                role(),
                Taken { roles: vec!["app_a".into()], ..ordinary.clone() },
                "rename it, or drop it",
            ),
            (server(), role(), Taken { foreign_schema: true, ..ordinary.clone() }, "schema portcullis"),
            (Server { superuser: false, ..server() }, role(), ordinary, "GRANT CREATE ON DATABASE \"shop\""),
        ];
        for (server, role, taken, expected) in cases {
            let refused = refused(&server, Kind::Legacy, &role, &taken);
            assert!(refused.len() == 1 && refused[0].contains(expected), "{expected}: {refused:?}");
        }
    }

    #[test]
    fn the_mark_tells_ours_from_anothers() {
        let names = Names::of("app", Kind::Legacy).expect("a short name");
        let taken = |home| Taken {
            roles: vec!["app_owner".into()],
            comment: Some(mark(&names, home)),
            ..Taken::default()
        };
        assert!(refused(&server(), Kind::Legacy, &role(), &taken("shop")).is_empty());
        let other = refused(&server(), Kind::Legacy, &role(), &taken("other"));
        assert!(other.len() == 1 && other[0].contains("adopted already"), "{other:?}");
    }

    #[test]
    fn a_platforms_own_role_keeps_its_attributes() {
        let powerful = Role { superuser: true, creates_roles: true, replicates: true, ..role() };
        assert!(refused(&server(), Kind::Administrator, &powerful, &Taken::default()).is_empty());
    }
}
