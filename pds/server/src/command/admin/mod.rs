//! `pds admin`: administration from a terminal, over the methods of a running server.
//!
//! Never opens the database: the same commands work from everywhere, and the server's own rules and events apply.

mod account;
mod crawl;
mod end;
mod invite;
mod output;
mod server;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

pub(super) use self::{
    output::{Output, text},
    server::Server,
};

/// Which server, and what to do.
#[derive(Debug, Args)]
pub(super) struct Admin {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

/// Which server, and how to print.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// URL of the server. Without it, the server on this machine, in this container or pod, by its own settings.
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// File with the administrator's password. Without it: PDS_ADMIN_PASSWORD, PDS_ADMIN_PASSWORD_FILE, or what the server on this machine has.
    #[arg(long, global = true, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// How to print what the server answers.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    output: Format,
}

impl Target {
    /// The server, and the password of its administrator.
    pub(super) fn server(&self) -> anyhow::Result<Server> {
        Server::find(self.server.as_deref(), self.password_file.as_deref())
    }

    /// How to print.
    pub(super) fn output(&self) -> Output {
        Output { json: matches!(self.output, Format::Json) }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people: tables, or one value per line.
    Text,
    /// One JSON value, for programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Accounts: list, show, create, delete, take down, reset the password, let make invites.
    #[command(subcommand)]
    Account(account::Account),
    /// Invite codes: create, list, disable.
    #[command(subcommand)]
    Invite(invite::Invite),
    /// Ask relays to crawl the server.
    RequestCrawl(crawl::RequestCrawl),
}

/// Runs one command.
pub(super) async fn run(admin: Admin) -> anyhow::Result<()> {
    let Admin { target, command } = admin;
    let output = target.output();
    match command {
        Command::RequestCrawl(request) => crawl::run(&request, target.server.as_deref(), output).await,
        Command::Account(command) => account::run(command, &target.server()?, output).await,
        Command::Invite(command) => invite::run(command, &target.server()?, output).await,
    }
}
