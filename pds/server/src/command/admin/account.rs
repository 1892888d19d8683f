//! `pds admin account`.

use std::{
    io::{BufRead, IsTerminal, Write, stderr, stdin},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use data_encoding::BASE32_NOPAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    end::end,
    output::{Output, text},
    server::Server,
};

/// `ACCOUNT` is a DID, a handle or an e-mail address.
#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// List all accounts, or those with e-mail addresses that begin alike.
    List {
        /// The beginning of the addresses.
        #[arg(long)]
        email: Option<String>,
    },
    /// Show one account.
    Show { account: String },
    /// Make an account with a random password, which is printed. Makes an invite code if the server asks for one.
    Create {
        email: String,
        handle: String,
        /// Read the password from standard input instead of making a random one.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Delete an account.
    Delete {
        account: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Undo a deletion, as long as the data of the account is there.
    Restore {
        /// The DID of the account, or the handle that it had.
        account: String,
        /// The handle that it is to have, if another account has its own by now.
        #[arg(long)]
        handle: Option<String>,
    },
    /// Write everything that the server has of an account into a tar file: repository, blobs, preferences, data of the account.
    Export {
        account: String,
        /// The file to write. It must not exist.
        file: PathBuf,
    },
    /// Hide an account and end its sessions.
    Takedown {
        account: String,
        /// Reference to the decision.
        #[arg(long = "ref", value_name = "TEXT")]
        reference: Option<String>,
    },
    /// Lift a takedown.
    Untakedown { account: String },
    /// Hide an account until a time, and refuse its writes. Its sessions stay.
    Suspend {
        account: String,
        /// When it ends: a time, or how long it lasts from now. For example 2027-01-31T12:00:00Z, 12h, 7d.
        #[arg(long, value_parser = end)]
        until: Timestamp,
        /// The reason, which other administrators see and the owner does not.
        #[arg(long)]
        reason: Option<String>,
    },
    /// End a suspension before its time.
    Unsuspend { account: String },
    /// Give an account a random password, which is printed, and end its sessions.
    ResetPassword {
        account: String,
        /// Read the password from standard input instead of making a random one.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the open sessions of an account.
    Sessions { account: String },
    /// End all sessions of an account, or one. Its password and app passwords stay.
    Logout {
        account: String,
        /// The one session to end, as `sessions` names it.
        #[arg(long, value_name = "ID")]
        session: Option<String>,
    },
    /// Set the maximum size of an account's records and blobs together.
    SetQuota {
        account: String,
        /// A size such as 500MiB or 10GiB, `none` for no maximum, or `default` for that of the server, PDS_ACCOUNT_QUOTA_BYTES.
        #[arg(value_parser = quota)]
        size: Quota,
    },
    /// Let an account make invite codes again.
    EnableInvites {
        account: String,
        /// The reason, which other administrators see and the owner does not.
        #[arg(long)]
        note: Option<String>,
    },
    /// Forbid an account to make invite codes.
    DisableInvites {
        account: String,
        /// The reason, which other administrators see and the owner does not.
        #[arg(long)]
        note: Option<String>,
    },
}

/// The maximum size of an account's records and blobs in bytes, 0 for no maximum; `None` for that of the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota(Option<u64>);

fn quota(text: &str) -> Result<Quota, String> {
    match text {
        "default" => Ok(Quota(None)),
        "none" => Ok(Quota(Some(0))),
        "0" => Err("say `none` for no maximum".to_owned()),
        text => pds_config::size(text).map(|bytes| Quota(Some(bytes))),
    }
}

pub(super) async fn run(command: Account, server: &Server, output: Output) -> anyhow::Result<()> {
    match command {
        Account::List { email } => list(server, output, email).await,
        Account::Show { account } => show(server, output, &account).await,
        Account::Create { email, handle, password_stdin } => {
            create(server, output, &email, &handle, password_stdin).await
        }
        Account::Delete { account, yes } => delete(server, output, &account, yes).await,
        Account::Restore { account, handle } => restore(server, output, &account, handle).await,
        Account::Export { account, file } => export(server, output, &account, &file).await,
        Account::Takedown { account, reference } => takedown(server, output, &account, true, reference).await,
        Account::Untakedown { account } => takedown(server, output, &account, false, None).await,
        Account::Suspend { account, until, reason } => suspend(server, output, &account, until, reason).await,
        Account::Unsuspend { account } => unsuspend(server, output, &account).await,
        Account::ResetPassword { account, password_stdin } => reset(server, output, &account, password_stdin).await,
        Account::Sessions { account } => sessions(server, output, &account).await,
        Account::Logout { account, session } => logout(server, output, &account, session).await,
        Account::SetQuota { account, size } => set_quota(server, output, &account, size).await,
        Account::EnableInvites { account, note } => invites(server, output, &account, "enable", note).await,
        Account::DisableInvites { account, note } => invites(server, output, &account, "disable", note).await,
    }
}

async fn list(server: &Server, output: Output, email: Option<String>) -> anyhow::Result<()> {
    let mut params = vec![("limit", "100")];
    params.extend(email.as_deref().map(|email| ("email", email)));
    let accounts = server.list("com.atproto.admin.searchAccounts", "accounts", &params).await?;
    output.list(
        &accounts,
        &[
            ("HANDLE", |account| text(account, "handle")),
            ("EMAIL", |account| text(account, "email")),
            ("DID", |account| text(account, "did")),
        ],
    )
}

async fn show(server: &Server, output: Output, account: &str) -> anyhow::Result<()> {
    let did = server.did(account).await?;
    let mut info = server.query("com.atproto.admin.getAccountInfo", &[("did", &did)]).await?;
    let status = server.query("com.atproto.admin.getSubjectStatus", &[("did", &did)]).await?;
    info["takedown"] = status["takedown"].clone();
    let own = server.query("dev.auroralocus.admin.getAccount", &[("did", &did)]).await?;
    for field in ["active", "status", "suspension", "blobBytes", "recordBytes", "quotaBytes", "ownQuotaBytes"] {
        if let Some(value) = own.get(field) {
            info[field] = value.clone();
        }
    }
    let taken_down = match &info["takedown"] {
        takedown if takedown["applied"] == true => format!("yes, {}", text(takedown, "ref")),
        _ => "no".to_owned(),
    };
    let suspended = match &info["suspension"] {
        Value::Null => "no".to_owned(),
        suspension => format!("until {}, {}", text(suspension, "until"), text(suspension, "reason")),
    };
    let of = if info["ownQuotaBytes"].is_null() { "the server's" } else { "its own" };
    let quota = match &info["quotaBytes"] {
        Value::Null => format!("none, {of}"),
        bytes => format!("{bytes} bytes, {of}"),
    };
    let lines = [
        ("handle", text(&info, "handle")),
        ("did", text(&info, "did")),
        ("email", text(&info, "email")),
        ("email confirmed", text(&info, "emailConfirmedAt")),
        ("created", text(&info, "indexedAt")),
        ("deactivated", text(&info, "deactivatedAt")),
        ("taken down", taken_down),
        ("suspended", suspended),
        ("bytes of blobs", text(&info, "blobBytes")),
        ("bytes of records", text(&info, "recordBytes")),
        ("quota", quota),
        ("invited by", text(&info["invitedBy"], "code")),
        ("invites disabled", text(&info, "invitesDisabled")),
        ("note about invites", text(&info, "inviteNote")),
    ];
    output.value(&info, &lines)
}

async fn create(server: &Server, output: Output, email: &str, handle: &str, from_stdin: bool) -> anyhow::Result<()> {
    let password = password(from_stdin)?;
    let described = server.query("com.atproto.server.describeServer", &[]).await?;
    let mut input = json!({"email": email, "handle": handle, "password": password});
    if described["inviteCodeRequired"] == true {
        let invite = server.call("com.atproto.server.createInviteCode", &json!({"useCount": 1})).await?;
        input["inviteCode"] = invite["code"].clone();
    }
    let account = server.sign_up(&input).await?;
    let made = json!({"did": account["did"], "handle": account["handle"], "email": email, "password": password});
    output.value(&made, &[("handle", text(&made, "handle")), ("did", text(&made, "did")), ("password", password)])
}

async fn delete(server: &Server, output: Output, account: &str, yes: bool) -> anyhow::Result<()> {
    let did = server.did(account).await?;
    let info = server.query("com.atproto.admin.getAccountInfo", &[("did", &did)]).await?;
    if !yes {
        confirm(&format!("Delete the account {} ({did})?", text(&info, "handle")))?;
    }
    server.call("com.atproto.admin.deleteAccount", &json!({"did": did})).await?;
    let done = json!({"did": did, "handle": info["handle"]});
    output.value(&done, &[("deleted", did)])
}

async fn restore(server: &Server, output: Output, account: &str, handle: Option<String>) -> anyhow::Result<()> {
    let mut input = json!({"account": account.trim_start_matches('@').to_lowercase()});
    if let Some(handle) = handle {
        input["handle"] = handle.into();
    }
    let restored = server.call("dev.auroralocus.admin.restoreAccount", &input).await?;
    let email = if restored["lostEmail"] == true { "taken by another account, removed" } else { "" };
    let lines = [
        ("restored", text(&restored, "did")),
        ("handle", text(&restored, "handle")),
        ("email", email.to_owned()),
        ("status", text(&restored, "status")),
    ];
    output.value(&restored, &lines)
}

async fn export(server: &Server, output: Output, account: &str, file: &Path) -> anyhow::Result<()> {
    let did = server.did(account).await?;
    let bytes = server.download("dev.auroralocus.admin.getExport", &[("did", &did)], file).await?;
    let made = json!({"did": did, "file": file, "bytes": bytes});
    output.value(&made, &[("exported", did), ("file", text(&made, "file")), ("bytes", bytes.to_string())])
}

async fn takedown(
    server: &Server,
    output: Output,
    account: &str,
    applied: bool,
    reference: Option<String>,
) -> anyhow::Result<()> {
    let did = server.did(account).await?;
    let mut takedown = json!({"applied": applied});
    if let Some(reference) = reference {
        takedown["ref"] = reference.into();
    }
    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": did});
    let input = json!({"subject": subject, "takedown": takedown});
    let answer = server.call("com.atproto.admin.updateSubjectStatus", &input).await?;
    output.value(&answer, &[(if applied { "taken down" } else { "takedown lifted" }, did)])
}

async fn suspend(
    server: &Server,
    output: Output,
    account: &str,
    until: Timestamp,
    reason: Option<String>,
) -> anyhow::Result<()> {
    let did = server.did(account).await?;
    let mut input = json!({"did": did, "until": until.to_string()});
    if let Some(reason) = reason {
        input["reason"] = reason.into();
    }
    let answer = server.call("dev.auroralocus.admin.suspendAccount", &input).await?;
    output.value(&answer, &[("suspended", did), ("until", text(&answer, "until"))])
}

async fn unsuspend(server: &Server, output: Output, account: &str) -> anyhow::Result<()> {
    let input = json!({"did": server.did(account).await?});
    server.call("dev.auroralocus.admin.unsuspendAccount", &input).await?;
    output.value(&input, &[("suspension ended", text(&input, "did"))])
}

async fn reset(server: &Server, output: Output, account: &str, from_stdin: bool) -> anyhow::Result<()> {
    let (did, password) = (server.did(account).await?, password(from_stdin)?);
    let input = json!({"did": did, "password": password});
    server.call("com.atproto.admin.updateAccountPassword", &input).await?;
    output.value(&input, &[("did", did), ("password", password)])
}

async fn sessions(server: &Server, output: Output, account: &str) -> anyhow::Result<()> {
    let did = server.did(account).await?;
    let params = [("did", did.as_str()), ("limit", "100")];
    let sessions = server.list("dev.auroralocus.admin.listSessions", "sessions", &params).await?;
    output.list(
        &sessions,
        &[
            ("ID", |session| text(session, "id")),
            ("APP PASSWORD", |session| text(&session["appPassword"], "name")),
            ("CREATED", |session| text(session, "createdAt")),
            ("REFRESHED", |session| text(session, "refreshedAt")),
            ("EXPIRES", |session| text(session, "expiresAt")),
        ],
    )
}

async fn logout(server: &Server, output: Output, account: &str, session: Option<String>) -> anyhow::Result<()> {
    let did = server.did(account).await?;
    let mut input = json!({"did": did});
    let ended = if session.is_some() { "ended a session of" } else { "ended all sessions of" };
    if let Some(id) = session {
        input["id"] = id.into();
    }
    server.call("dev.auroralocus.admin.revokeSessions", &input).await?;
    output.value(&input, &[(ended, did)])
}

async fn set_quota(server: &Server, output: Output, account: &str, quota: Quota) -> anyhow::Result<()> {
    let did = server.did(account).await?;
    let input = json!({"did": did, "bytes": quota.0});
    server.call("dev.auroralocus.admin.setQuota", &input).await?;
    let text = match quota.0 {
        None => "the server's".to_owned(),
        Some(0) => "none".to_owned(),
        Some(bytes) => format!("{bytes} bytes"),
    };
    output.value(&input, &[("did", did), ("quota", text)])
}

async fn invites(
    server: &Server,
    output: Output,
    account: &str,
    verb: &str,
    note: Option<String>,
) -> anyhow::Result<()> {
    let did = server.did(account).await?;
    let mut input = json!({"account": did});
    if let Some(note) = note {
        input["note"] = note.into();
    }
    server.call(&format!("com.atproto.admin.{verb}AccountInvites"), &input).await?;
    output.value(&input, &[(if verb == "enable" { "invites enabled" } else { "invites disabled" }, did)])
}

/// Read from standard input, or 120 random bits.
fn password(from_stdin: bool) -> anyhow::Result<String> {
    if !from_stdin {
        return Ok(BASE32_NOPAD.encode(&rand::random::<[u8; 15]>()).to_ascii_lowercase());
    }
    let line = line()?;
    ensure!(!line.is_empty(), "there is no password on standard input");
    Ok(line)
}

fn line() -> anyhow::Result<String> {
    let mut line = String::new();
    stdin().lock().read_line(&mut line).context("read from standard input")?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn confirm(question: &str) -> anyhow::Result<()> {
    if !stdin().is_terminal() {
        bail!("{question} Say so with --yes");
    }
    write!(stderr(), "{question} [y/N] ").context("write to the terminal")?;
    match line()?.to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing was deleted"),
    }
}
