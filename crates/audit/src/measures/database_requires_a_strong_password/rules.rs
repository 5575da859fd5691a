//! The server's rules for logins (`pg_hba.conf`), read in order: the first that matches decides. They explain; what the
//! server really does is seen by logging in, since the view shows the file, not what was last loaded.

use std::net::IpAddr;

use ipnet::IpNet;
use sqlx::{PgConnection, Row as _};

use crate::database::postgres::reason;
use crate::evidence::Evidence;
use crate::report::Claim;
use crate::verdict::Verdict;

/// Methods by which nobody is asked for a secret, or for one that a listener on the way could use.
const WEAK: [&str; 4] = ["trust", "password", "md5", "ident"];

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    line: i32,
    kind: String,
    databases: Vec<String>,
    users: Vec<String>,
    address: Option<String>,
    netmask: Option<String>,
    method: String,
    error: Option<String>,
}

/// What a session showed of the way in which it was let in.
pub(super) struct Read {
    rules: Result<Vec<Rule>, String>,
    /// PostgreSQL 16 and later: `scram-sha-256:app`, or none where nothing was asked.
    system_user: Result<Option<String>, String>,
}

pub(super) async fn read(connection: &mut PgConnection) -> Read {
    // The columns are those of 15 and later; 16 added rule_number and file_name.
    let view = "SELECT line_number, type, database, user_name, address, netmask, auth_method, error \
                FROM pg_hba_file_rules ORDER BY line_number";
    // What adoption leaves behind for those who may not read the view.
    let function = "SELECT line_number, type, database, user_name, address, netmask, auth_method, error \
                    FROM portcullis.access_rules() ORDER BY line_number";
    let rules = match sqlx::query(view).fetch_all(&mut *connection).await {
        Ok(rows) => Ok(rows),
        Err(error) => sqlx::query(function).fetch_all(&mut *connection).await.map_err(|_| error),
    };
    let rules = match rules {
        Err(error) => Err(reason(&error)),
        Ok(rows) => rows
            .iter()
            .map(|row| {
                Ok(Rule {
                    line: row.try_get(0)?,
                    kind: row.try_get::<Option<String>, _>(1)?.unwrap_or_default(),
                    databases: row.try_get::<Option<Vec<String>>, _>(2)?.unwrap_or_default(),
                    users: row.try_get::<Option<Vec<String>>, _>(3)?.unwrap_or_default(),
                    address: row.try_get(4)?,
                    netmask: row.try_get(5)?,
                    method: row.try_get::<Option<String>, _>(6)?.unwrap_or_default(),
                    error: row.try_get(7)?,
                })
            })
            .collect::<Result<Vec<_>, sqlx::Error>>()
            .map_err(|error| reason(&error)),
    };
    let system_user = sqlx::query("SELECT system_user::text").fetch_one(connection).await;
    let system_user = system_user.and_then(|row| row.try_get(0)).map_err(|error| reason(&error));
    Read { rules, system_user }
}

pub(super) fn claim(id: &str, read: &Read) -> Claim {
    let rules = match (&read.rules, &read.system_user) {
        (Ok(rules), _) => rules,
        // Not readable, and then the session itself must say how it was let in.
        (Err(_), Ok(Some(user))) if user.starts_with("scram-sha-256:") => {
            let evidence =
                Evidence::catalogue(format!("the rules are not readable here; this session is {user}"));
            return Claim::pass(id, vec![evidence]);
        }
        (Err(why), _) => {
            let remedy = "GRANT SELECT ON pg_hba_file_rules, and EXECUTE ON FUNCTION pg_hba_file_rules(), to the \
                          auditor's role";
            return Claim::not_proven(id, vec![Evidence::catalogue(why.clone())], remedy);
        }
    };
    judge(id, rules)
}

fn judge(id: &str, rules: &[Rule]) -> Claim {
    let broken: Vec<Evidence> = rules
        .iter()
        .filter_map(|rule| rule.error.as_ref().map(|error| format!("line {}: {error}", rule.line)))
        .map(Evidence::catalogue)
        .collect();
    let sound: Vec<&Rule> = rules.iter().filter(|rule| rule.error.is_none()).collect();
    let mut offences = Vec::new();
    let mut local = Vec::new();
    for (at, rule) in sound.iter().enumerate().filter(|(_, rule)| WEAK.contains(&rule.method.as_str())) {
        let what = format!(
            "line {}: {} {} {} {} {}",
            rule.line,
            rule.kind,
            rule.databases.join(","),
            rule.users.join(","),
            rule.address.as_deref().unwrap_or("-"),
            rule.method
        );
        if !rule.is_remote() {
            local.push(what);
        } else if !sound.iter().take(at).any(|earlier| earlier.hides(rule)) {
            offences.push(Evidence::catalogue(what));
        }
    }
    if !offences.is_empty() {
        return Claim::fail(id, offences, "set scram-sha-256 in these lines of pg_hba.conf, and reload");
    }
    if !broken.is_empty() || rules.is_empty() {
        let remedy = "correct pg_hba.conf and reload: with an error in it, older rules stay in force";
        return Claim::not_proven(id, broken, remedy);
    }
    let mut evidence = vec![Evidence::catalogue(format!(
        "{} rules; none lets in a remote address by {}",
        rules.len(),
        WEAK.join(", ")
    ))];
    if !local.is_empty() {
        let what = format!("from the server's own machine alone: {}", local.join("; "));
        evidence.push(Evidence::catalogue(what));
    }
    Claim::pass(id, evidence).but(Verdict::Pass)
}

impl Rule {
    /// Whether it can match a connection from another machine.
    fn is_remote(&self) -> bool {
        if self.kind == "local" {
            return false;
        }
        match self.address.as_deref() {
            Some("samehost") => false,
            _ => self.network().is_none_or(|network| !is_loopback(network)),
        }
    }

    /// Its addresses; none for `all`, `samenet` and host names.
    fn network(&self) -> Option<IpNet> {
        let address: IpAddr = self.address.as_deref()?.parse().ok()?;
        match self.netmask.as_deref() {
            None => Some(address.into()),
            Some(mask) => IpNet::with_netmask(address, mask.parse().ok()?).ok(),
        }
    }

    /// Whether every connection that `later` could match is already this rule's.
    fn hides(&self, later: &Self) -> bool {
        let kinds = match self.kind.as_str() {
            "host" => true,
            kind => kind == later.kind,
        };
        kinds
            && covers(&self.databases, &later.databases)
            && covers(&self.users, &later.users)
            && self.covers_addresses(later)
    }

    fn covers_addresses(&self, later: &Self) -> bool {
        match (self.address.as_deref(), self.network(), later.network()) {
            (Some("all"), ..) => true,
            (_, Some(own), Some(other)) => own.contains(&other),
            _ => false,
        }
    }
}

/// `all` covers everything but `replication`; a plain name itself. Groups, patterns and `sameuser` cover nothing surely.
fn covers(own: &[String], other: &[String]) -> bool {
    other.iter().all(|wanted| {
        own.iter().any(|name| match name.as_str() {
            "all" => wanted != "replication",
            name => {
                name == wanted
                    && !name.starts_with(['+', '/', '@'])
                    && name != "sameuser"
                    && name != "samerole"
            }
        })
    })
}

fn is_loopback(network: IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.addr().is_loopback() && network.prefix_len() >= 8,
        IpNet::V6(network) => network.addr().is_loopback() && network.prefix_len() == 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(line: &str) -> Rule {
        let words: Vec<&str> = line.split_whitespace().collect();
        let list = |text: &str| text.split(',').map(ToOwned::to_owned).collect();
        let (address, netmask) = match words[3].split_once('/') {
            Some((address, bits)) => {
                let network: IpNet = format!("{address}/{bits}").parse().unwrap();
                (Some(address.to_owned()), Some(network.netmask().to_string()))
            }
            None if words[3] == "-" => (None, None),
            None => (Some(words[3].to_owned()), None),
        };
        Rule {
            line: 1,
            kind: words[0].into(),
            databases: list(words[1]),
            users: list(words[2]),
            address,
            netmask,
            method: words[4].into(),
            error: None,
        }
    }

    fn verdict(lines: &[&str]) -> Verdict {
        judge("x", &lines.iter().map(|line| rule(line)).collect::<Vec<_>>()).verdict
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        use Verdict::{Fail, NotProven, Pass};
        for (lines, wanted) in [
            (vec!["host all all all scram-sha-256"], Pass),
            (vec!["host all all 0.0.0.0/0 trust"], Fail),
            (vec!["host all all all scram-sha-256", "host all all 0.0.0.0/0 trust"], Pass),
            (vec!["host all all 10.0.0.0/8 reject", "host all all 10.1.0.0/16 trust"], Pass),
            (vec!["host all all 10.1.0.0/16 reject", "host all all 10.0.0.0/8 trust"], Fail),
            // Another database, another role, another kind of connection.
            (vec!["host orders all all reject", "host all all all trust"], Fail),
            (vec!["host all app all reject", "host all app,other all md5"], Fail),
            (vec!["hostssl all all all scram-sha-256", "hostnossl all all all trust"], Fail),
            (vec!["host all all all scram-sha-256", "hostnossl all all all trust"], Pass),
            (vec!["host all all all scram-sha-256", "host replication all all trust"], Fail),
            (vec!["host all +staff all scram-sha-256", "host all +staff all trust"], Fail),
            (vec!["host all all samenet trust"], Fail),
            (vec!["host all all db.example.com password"], Fail),
            (vec!["host all all all ident"], Fail),
            // Inside a container: said, and no fail.
            (
                vec![
                    "local all all - trust",
                    "host all all 127.0.0.1/32 trust",
                    "host all all ::1/128 trust",
                ],
                Pass,
            ),
            (vec!["host all all samehost trust", "host all all all scram-sha-256"], Pass),
            (vec!["host all all 126.0.0.0/7 trust"], Fail),
            (vec![], NotProven),
        ] {
            assert_eq!(verdict(&lines), wanted, "{lines:?}");
        }
    }

    #[test]
    fn rules_that_do_not_load_prove_nothing() {
        let mut broken = rule("host all all all scram-sha-256");
        broken.error = Some("invalid authentication method".into());
        assert_eq!(judge("x", &[rule("host all all all scram-sha-256"), broken]).verdict, Verdict::NotProven);
    }

    #[test]
    fn unreadable_rules_want_the_sessions_own_word() {
        let verdict = |system_user: Result<Option<&str>, &str>| {
            let system_user = system_user.map(|user| user.map(Into::into)).map_err(Into::into);
            claim("x", &Read { rules: Err("permission denied".into()), system_user }).verdict
        };
        assert_eq!(verdict(Ok(Some("scram-sha-256:app"))), Verdict::Pass);
        assert_eq!(verdict(Ok(None)), Verdict::NotProven, "trust");
        assert_eq!(verdict(Err("no such column")), Verdict::NotProven, "before 16");
    }
}
