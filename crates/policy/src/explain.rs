//! The same decision, told step by step.

use std::fmt;

use crate::caller::Caller;
use crate::cors::{OriginVerdict, Origins, is_safe_method};
use crate::path::normalise;
use crate::permit::{Denial, authorize, authorize_origin};
use crate::rule::Rule;
use crate::table::{Lookup, Table};

/// A request to explain; nothing is sent.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The method.
    pub method: &'a str,
    /// The request target: path, and query perhaps.
    pub target: &'a str,
    /// The values of all `Origin` headers.
    pub origin: &'a [&'a str],
    /// Who asks; `None` without credentials.
    pub caller: Option<&'a Caller>,
}

/// One step and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `path`, `rule`, `origin`, `caller` or `verdict`.
    pub name: &'static str,
    /// In words.
    pub outcome: String,
}

/// The steps up to the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation<'t> {
    /// In the order in which the gateway takes them; none follows the one that refuses.
    pub steps: Vec<Step>,
    /// The rule that was found.
    pub rule: Option<&'t Rule>,
    /// Nothing, or why not.
    pub verdict: Result<(), Denial>,
}

/// Decides as the gateway does and says how it came to it. Checks of the token itself are the asker's.
#[must_use]
pub fn explain<'t>(table: &'t Table, origins: &Origins, question: &Question<'_>) -> Explanation<'t> {
    let mut explanation = Explanation { steps: Vec::new(), rule: None, verdict: Ok(()) };
    explanation.verdict = decide(table, origins, question, &mut explanation.steps, &mut explanation.rule);
    let outcome = match &explanation.verdict {
        Ok(()) => "forwarded".to_owned(),
        Err(denial) => match denial.www_authenticate() {
            Some(challenge) => format!("{}: {denial} (WWW-Authenticate: {challenge})", denial.status()),
            None => format!("{}: {denial}", denial.status()),
        },
    };
    explanation.steps.push(Step { name: "verdict", outcome });
    explanation
}

fn decide<'t>(
    table: &'t Table,
    origins: &Origins,
    question: &Question<'_>,
    steps: &mut Vec<Step>,
    rule: &mut Option<&'t Rule>,
) -> Result<(), Denial> {
    let mut step = |name, outcome: String| steps.push(Step { name, outcome });
    let path = normalise(question.target).map_err(|reason| {
        step("path", reason.to_string());
        Denial::AmbiguousPath(reason)
    })?;
    step("path", format!("read and forwarded as {}", path.forward()));
    let found = table.lookup(question.method, &path);
    match found {
        Lookup::MethodNotListed => {
            step("rule", format!("{found}; listed: {}", table.methods_of(&path).join(", ")))
        }
        _ => step("rule", found.to_string()),
    }
    if let Lookup::Found(found) = found {
        *rule = Some(found);
    }
    let verdict = origins.judge(question.origin);
    step(
        "origin",
        match verdict {
            OriginVerdict::None => "none sent".to_owned(),
            OriginVerdict::Frontend(origin) => format!("{origin} is the frontend's"),
            OriginVerdict::Foreign if is_safe_method(question.method) => {
                "not the frontend's: the page may not read the answer".to_owned()
            }
            OriginVerdict::Foreign => "not the frontend's, and the method is unsafe".to_owned(),
        },
    );
    authorize_origin(question.method, &verdict)?;
    step(
        "caller",
        match question.caller {
            None => "no credentials".to_owned(),
            Some(caller) => {
                let subject = caller.subject.as_deref().or(caller.client.as_deref()).unwrap_or("unnamed");
                let scopes =
                    if caller.scopes.is_empty() { "none".to_owned() } else { caller.scopes.to_string() };
                format!("{} {subject}, scopes: {scopes}", caller.kind.as_str())
            }
        },
    );
    authorize(found, question.caller).map(|_| ())
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{:<8} {}", step.name, step.outcome)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RouteConfig, TokenFacts};

    fn told(method: &str, target: &str, origin: &[&str], scope: Option<&str>) -> String {
        let route = RouteConfig {
            match_: "POST /orders/{id}".into(),
            scopes: Some(vec!["write".into()]),
            ..RouteConfig::default()
        };
        let table = Table::build(None, &[route]).unwrap();
        let origins = Origins::parse(&["https://app.example.com".to_owned()], false).unwrap();
        let caller = scope.map(|scope| {
            Caller::from_token(&TokenFacts {
                sub: Some("usr_1"),
                scope: Some(scope),
                ..TokenFacts::default()
            })
        });
        explain(&table, &origins, &Question { method, target, origin, caller: caller.as_ref() }).to_string()
    }

    #[test]
    fn every_step_is_told() {
        assert_eq!(
            told("POST", "/orders/%37?x", &["https://app.example.com"], Some("read")),
            "path     read and forwarded as /orders/7\n\
             rule     POST /orders/{id}: scopes write (any) [gateway.route 1]\n\
             origin   https://app.example.com is the frontend's\n\
             caller   user usr_1, scopes: read\n\
             verdict  403: the token lacks the scope write \
             (WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"write\")\n"
        );
        assert!(told("POST", "/orders/7", &[], Some("write")).ends_with("verdict  forwarded\n"));
    }

    #[test]
    fn nothing_follows_the_step_that_refuses() {
        let ambiguous = told("POST", "/orders/../x", &[], None);
        assert_eq!(ambiguous.lines().count(), 2, "{ambiguous}");
        let foreign = told("POST", "/orders/7", &["https://evil.example"], Some("write"));
        assert!(!foreign.contains("caller"), "{foreign}");
        let unlisted = told("GET", "/orders/7", &[], None);
        assert!(unlisted.contains("listed: POST") && unlisted.contains("401"), "{unlisted}");
    }
}
