//! What Argon2id costs: never less than OWASP's floor, never more than a server can bear.

/// OWASP's floor: each pair of memory (KiB) and iterations costs an attacker the same.
const FLOOR: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

/// Most memory in KiB that a stored hash may ask for (256 MiB): a row must not be able to take the server's memory.
const MAXIMUM_MEMORY: u32 = 256 * 1024;
/// Most iterations that a stored hash may ask for.
const MAXIMUM_ITERATIONS: u32 = 64;
/// Most lanes that a stored hash may ask for.
const MAXIMUM_PARALLELISM: u32 = 16;
/// Most work that a stored hash may ask for, in KiB times iterations: some three seconds on one core.
const MAXIMUM_WORK: u64 = 2 * 1024 * 1024;

/// Argon2id's cost, at OWASP's floor or above: no other can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
}

/// Parameters that no password should be hashed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// Cheaper than every row of OWASP's table.
    #[error(
        "argon2id with {memory_kib} KiB and {iterations} iterations is below OWASP's floor; \
         use at least 19456 KiB with 2, 12288 with 3, 9216 with 4, 7168 with 5, or 47104 with 1"
    )]
    BelowFloor {
        /// Memory that was asked for, in KiB.
        memory_kib: u32,
        /// Iterations that were asked for.
        iterations: u32,
    },
    /// Dearer than what a stored hash may ask for: such hashes could not be verified again.
    #[error(
        "argon2id with these parameters is too dear: at most 262144 KiB, 64 iterations, 16 lanes, and 2 GiB of work"
    )]
    AboveCap,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

impl Parameters {
    /// Takes a memory size in KiB, a number of passes over it, and a number of lanes.
    ///
    /// # Errors
    /// When they are below OWASP's floor or above what a stored hash may ask for.
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Self, ParametersError> {
        if !within_caps(memory_kib, iterations, parallelism) {
            return Err(ParametersError::AboveCap);
        }
        if !FLOOR.iter().any(|(memory, passes)| memory_kib >= *memory && iterations >= *passes) {
            return Err(ParametersError::BelowFloor { memory_kib, iterations });
        }
        Ok(Self { memory_kib, iterations, parallelism })
    }

    /// Memory of one hash, in KiB.
    #[must_use]
    pub const fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Lanes.
    #[must_use]
    pub const fn parallelism(&self) -> u32 {
        self.parallelism
    }
}

pub(super) fn within_caps(memory_kib: u32, iterations: u32, parallelism: u32) -> bool {
    (1..=MAXIMUM_PARALLELISM).contains(&parallelism)
        && (1..=MAXIMUM_ITERATIONS).contains(&iterations)
        && (8 * parallelism..=MAXIMUM_MEMORY).contains(&memory_kib)
        && u64::from(memory_kib) * u64::from(iterations) <= MAXIMUM_WORK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owasp_floor_and_its_equals_are_the_least() {
        for (memory, iterations, fine) in [
            (19_456, 2, true),
            (47_104, 1, true),
            (12_288, 3, true),
            (9_216, 4, true),
            (7_168, 5, true),
            (65_536, 3, true),
            (19_455, 2, false),
            (47_103, 1, false),
            (12_287, 3, false),
            (9_215, 4, false),
            (7_167, 5, false),
            (1_024, 10, false),
        ] {
            let made = Parameters::new(memory, iterations, 1);
            assert_eq!(made.is_ok(), fine, "{memory} {iterations}");
        }
        assert_eq!(Parameters::new(4 * 1024 * 1024, 1, 1), Err(ParametersError::AboveCap));
        assert_eq!(Parameters::new(19_456, 2, 0), Err(ParametersError::AboveCap));
        assert_eq!(Parameters::new(19_456, 2, u32::MAX), Err(ParametersError::AboveCap));
    }
}
