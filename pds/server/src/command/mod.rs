//! The command line.

mod health;
mod log;
mod migrate;
mod serve;
mod settings;
mod tls;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A Personal Data Server of the AT Protocol.
///
/// All settings are environment variables; docs/reference/configuration.md lists them. With none set, `pds serve` keeps everything
/// below ./data and listens on port 2583.
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
    Migrate,
    /// Ask a running server whether it is ready; exits with 1 if not. For container health checks.
    Health,
    /// Look at the settings.
    #[command(subcommand)]
    Config(Config),
}

#[derive(Debug, Subcommand)]
enum Config {
    /// Read the settings as `pds serve` would, say what is wrong with them, and do nothing else.
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
            Command::Migrate => migrate::migrate().await,
            Command::Health => health::health().await,
            Command::Config(Config::Check) => settings::check(),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{error:#}")),
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
