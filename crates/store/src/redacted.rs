//! Rows that hold a hash, a digest or something sealed print their id and nothing else.

/// `Debug` by the fields named alone.
macro_rules! redacted {
    ($row:ty as $name:literal: $($field:ident),*) => {
        impl std::fmt::Debug for $row {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter
                    .debug_struct($name)
                    $(.field(stringify!($field), &self.$field))*
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use redacted;
