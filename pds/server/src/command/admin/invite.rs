//! `pds admin invite`.

use anyhow::ensure;
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    end::end,
    output::{Output, text},
    server::Server,
};

#[derive(Debug, Subcommand)]
pub(super) enum Invite {
    /// Make invite codes.
    Create {
        /// How many accounts each code makes.
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// How many codes.
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// DID, handle or e-mail address of the account that the codes are for.
        #[arg(long = "for", value_name = "ACCOUNT")]
        owner: Option<String>,
        /// When the codes expire: a time, or how long they last from now. For example 2027-01-31T12:00:00Z, 12h, 7d. By default they do not.
        #[arg(long, value_name = "END", value_parser = end)]
        expires: Option<Timestamp>,
    },
    /// List all codes, newest first.
    List {
        /// Only codes that can still be used.
        #[arg(long)]
        usable: bool,
    },
    /// Disable codes, or all codes of accounts.
    Disable {
        /// The codes.
        codes: Vec<String>,
        /// DID, handle or e-mail address of an account whose codes are to be disabled; several times for several.
        #[arg(long = "of", value_name = "ACCOUNT")]
        owners: Vec<String>,
    },
}

pub(super) async fn run(command: Invite, server: &Server, output: Output) -> anyhow::Result<()> {
    match command {
        Invite::Create { uses, count, owner, expires } => {
            let mut input = json!({"useCount": uses, "codeCount": count});
            if let Some(owner) = owner {
                input["forAccounts"] = json!([server.did(&owner).await?]);
            }
            create(server, output, input, expires).await
        }
        Invite::List { usable } => list(server, output, usable).await,
        Invite::Disable { codes, owners } => disable(server, output, codes, owners).await,
    }
}

async fn create(server: &Server, output: Output, mut input: Value, expires: Option<Timestamp>) -> anyhow::Result<()> {
    let method = match expires {
        Some(end) => {
            input["expiresAt"] = end.to_string().into();
            "dev.auroralocus.admin.createInviteCodes"
        }
        None => "com.atproto.server.createInviteCodes",
    };
    let answer = server.call(method, &input).await?;
    let codes: Vec<_> = answer["codes"].as_array().into_iter().flatten().collect();
    let codes: Vec<Value> = codes
        .iter()
        .flat_map(|of| {
            of["codes"].as_array().into_iter().flatten().map(|code| json!({"code": code, "account": of["account"]}))
        })
        .collect();
    match output.json {
        true => output.list(&codes, &[]),
        // As `pdsadmin create-invite-code`: only the code, for scripts that read a line.
        false => output.lines(codes.iter().map(|code| text(code, "code"))),
    }
}

async fn list(server: &Server, output: Output, usable: bool) -> anyhow::Result<()> {
    let params = [("limit", "500"), ("sort", "recent")];
    let mut codes = server.list("dev.auroralocus.admin.listInviteCodes", "codes", &params).await?;
    let now = Timestamp::now();
    let is_expired = |code: &Value| text(code, "expiresAt").parse::<Timestamp>().is_ok_and(|end| end <= now);
    codes.retain(|code| !usable || (code["disabled"] == false && left(code) > 0 && !is_expired(code)));
    output.list(
        &codes,
        &[
            ("CODE", |code| text(code, "code")),
            ("LEFT", |code| left(code).to_string()),
            ("USES", |code| uses(code).to_string()),
            ("DISABLED", |code| if code["disabled"] == true { "yes".to_owned() } else { "no".to_owned() }),
            ("FOR", |code| text(code, "forAccount")),
            ("CREATED", |code| text(code, "createdAt")),
            ("EXPIRES", |code| text(code, "expiresAt")),
        ],
    )
}

fn uses(code: &Value) -> u64 {
    code["uses"].as_array().map_or(0, |uses| uses.len() as u64)
}

fn left(code: &Value) -> u64 {
    code["available"].as_u64().unwrap_or_default().saturating_sub(uses(code))
}

async fn disable(server: &Server, output: Output, codes: Vec<String>, owners: Vec<String>) -> anyhow::Result<()> {
    ensure!(!codes.is_empty() || !owners.is_empty(), "name codes, or accounts with --of");
    let mut accounts = Vec::with_capacity(owners.len());
    for owner in owners {
        accounts.push(server.did(&owner).await?);
    }
    server.call("com.atproto.admin.disableInviteCodes", &json!({"codes": codes, "accounts": accounts})).await?;
    let done = json!({"codes": codes, "accounts": accounts});
    output.value(&done, &[("disabled codes", codes.join(", ")), ("disabled all codes of", accounts.join(", "))])
}
