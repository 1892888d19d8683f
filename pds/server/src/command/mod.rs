//! The command line.

mod admin;
mod check;
mod doctor;
mod failure;
mod health;
mod import_reference;
mod job;
mod listen;
mod log;
mod migrate;
mod owner;
mod serve;
mod settings;
mod tls;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// A Personal Data Server of the AT Protocol.
///
/// All settings are environment variables; docs/reference/configuration.md lists them. With none set, `pds serve` keeps everything
/// below ./data and listens on port 2583.
///
/// Ends with code 78 if only a person can mend the reason, such as a wrong setting or a database that belongs to other keys, and with
/// code 1 if the same command may succeed later.
#[derive(Debug, Parser)]
#[command(name = "pds", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve accounts.
    Serve,
    /// Bring the database's schema up to date.
    Migrate {
        /// Write one JSON object about the outcome to this file, at most 4096 bytes, also when the migration fails.
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// Ask a running server whether it is ready; exits with 1 if not. For container health checks.
    Health,
    /// Take over the data directory of the reference implementation into an empty database.
    ImportReference(import_reference::ImportReference),
    /// Administer accounts and invites of a running server.
    Admin(admin::Admin),
    /// Background jobs of a running server: list, run.
    Job(job::Job),
    /// Check settings, database, blob store, mail, DNS, TLS, clock, PLC directory and relays, and say what to do. Exits with 1 if a check fails.
    Doctor(doctor::Doctor),
    /// Check the settings.
    #[command(subcommand)]
    Config(Config),
}

#[derive(Debug, Subcommand)]
enum Config {
    /// Read the settings as `pds serve` would, say everything that is wrong with them, and do nothing else. Warns of settings without effect.
    Check,
}

/// Runs the program.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return fail("another TLS provider is installed already");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the runtime does not start: {error}")),
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Serve => serve::serve().await,
            Command::Migrate { report } => migrate::migrate(report).await,
            Command::Health => health::health().await,
            Command::ImportReference(command) => import_reference::run(command).await,
            Command::Admin(admin) => admin::run(admin).await,
            Command::Doctor(doctor) => doctor::run(doctor).await,
            Command::Job(job) => job::run(job).await,
            Command::Config(Config::Check) => check::check().await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            fail(&format!("{error:#}"));
            failure::exit_code(&error)
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the last words of a program that could not start go to the terminal as they are"
)]
fn fail(message: &str) -> ExitCode {
    eprintln!("pds: {message}");
    ExitCode::FAILURE
}
