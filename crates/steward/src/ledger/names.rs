//! The names of the roles that adoption makes beside today's.

/// What a role is to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Owns everything, cannot log in.
    Owner,
    /// One of the two that log in by turns.
    Slot,
    /// The role that the application used before, retired by the first rotation.
    Legacy,
    /// The role that the platform made. It is never retired; its password changes alone and last.
    Administrator,
}

impl Kind {
    /// As the table `portcullis.slot` spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Slot => "slot",
            Self::Legacy => "legacy",
            Self::Administrator => "administrator",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Owner, Self::Slot, Self::Legacy, Self::Administrator]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A name that PostgreSQL would cut short.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the role name {0} is too long to get _owner behind it: a name has at most 63 bytes")]
pub struct NamesError(pub String);

/// Who is who in one managed database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Owns everything: `app_owner`.
    pub owner: String,
    /// The slot of the first rotation: `app_a`.
    pub slot_a: String,
    /// The other one: `app_b`.
    pub slot_b: String,
    /// Today's role: `app`.
    pub legacy: String,
    /// [`Kind::Legacy`], or [`Kind::Administrator`] where the application logs in as the platform's own role.
    pub legacy_kind: Kind,
}

impl Names {
    /// The names that belong to today's role.
    ///
    /// # Errors
    /// Where a name would be longer than 63 bytes (NAMEDATALEN), which PostgreSQL cuts without an error.
    pub fn of(today: &str, legacy_kind: Kind) -> Result<Self, NamesError> {
        let name = |suffix: &str| {
            let name = format!("{today}{suffix}");
            if name.len() > 63 { Err(NamesError(today.to_owned())) } else { Ok(name) }
        };
        Ok(Self {
            owner: name("_owner")?,
            slot_a: name("_a")?,
            slot_b: name("_b")?,
            legacy: today.to_owned(),
            legacy_kind,
        })
    }

    /// The slot that is not `role`: where the next password goes.
    #[must_use]
    pub fn other(&self, role: &str) -> &str {
        if role == self.slot_a { &self.slot_b } else { &self.slot_a }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Names};

    #[test]
    fn a_name_that_would_be_cut_is_refused() {
        assert!(Names::of(&"a".repeat(57), Kind::Legacy).is_ok());
        assert!(Names::of(&"a".repeat(58), Kind::Legacy).is_err());
        assert!(Names::of(&"é".repeat(29), Kind::Legacy).is_err(), "bytes count, not letters");
    }

    #[test]
    fn the_first_rotation_goes_to_a_and_then_they_take_turns() {
        let names = Names::of("app", Kind::Legacy).expect("a short name");
        assert_eq!(names.other("app"), "app_a");
        assert_eq!(names.other("app_a"), "app_b");
        assert_eq!(names.other("app_b"), "app_a");
    }
}
