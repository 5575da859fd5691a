//! What the scripts of this folder need besides the servers: tokens to send, and the physical limits to compare with.
//! Every figure goes to standard output as plain numbers; the scripts make ratios of them.

mod limits;
mod material;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Tokens to send, and physical limits to compare with.
#[derive(Parser)]
#[command(name = "benches")]
struct CommandLine {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Writes a key, its JWK set and tokens of an invented issuer: good ones, and one of each bad kind.
    Material {
        /// An existing folder.
        folder: PathBuf,
        /// The signature algorithm.
        #[arg(long, value_enum, default_value = "rs256")]
        algorithm: material::Algorithm,
        /// Good tokens, each of another user.
        #[arg(long, default_value_t = 1000)]
        tokens: usize,
    },
    /// Signatures a second of the bare library with one key: RS256.
    Signing {
        /// Length of the modulus.
        #[arg(long, default_value_t = 3072)]
        bits: u16,
        /// How long to sign.
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
    },
    /// Argon2id hashes a second of the bare library in memory that is used again.
    Hashing {
        /// Memory in KiB.
        #[arg(long, default_value_t = 19_456)]
        memory: u32,
        /// Passes.
        #[arg(long, default_value_t = 2)]
        iterations: u32,
        /// Lanes.
        #[arg(long, default_value_t = 1)]
        parallelism: u32,
        /// How long to hash.
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
    },
}

fn main() -> ExitCode {
    match run(CommandLine::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("benches: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(what: What) -> Result<(), String> {
    match what {
        What::Material { folder, algorithm, tokens } => material::write(&folder, algorithm, tokens),
        What::Signing { bits, seconds } => {
            println!("{:.1}", limits::signing(bits, span(seconds)?)?);
            Ok(())
        }
        What::Hashing { memory, iterations, parallelism, seconds } => {
            println!("{:.2}", limits::hashing(memory, iterations, parallelism, span(seconds)?)?);
            Ok(())
        }
    }
}

fn span(seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{seconds} is no time to measure for"))
}
