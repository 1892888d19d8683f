//! What is measured: a PDS process with its storage, started here, on loopback.

mod kind;
mod settings;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

use crate::client::Client;
use crate::meter;
pub(crate) use kind::Kind;
pub(crate) use settings::Services;

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(40);

/// A running PDS.
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    services: Services,
    folder: PathBuf,
    child: Child,
    pid: u32,
    /// Further processes on the same storage.
    others: Vec<(SocketAddr, Child, u32)>,
}

/// CPU time used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) pds: Duration,
    pub(crate) storage: Duration,
    pub(crate) driver: Duration,
}

impl Target {
    /// Starts with empty storage below the services' folder; answers once the PDS does.
    pub(crate) async fn start(kind: Kind, services: &Services) -> Result<Self> {
        let folder = services.folder.join(format!("{kind:?}").to_lowercase());
        fs::create_dir_all(&folder)?;
        if kind == Kind::Postgres {
            let mut migrate = settings::command(kind, services, &folder, 0, 0);
            let output = migrate.arg("migrate").output().await.context("run pds migrate")?;
            if !output.status.success() {
                bail!("pds migrate: {}", String::from_utf8_lossy(&output.stderr));
            }
        }
        let (address, child, pid) = launch(kind, services, &folder).await?;
        Ok(Self { kind, address, services: services.clone(), folder, child, pid, others: Vec::new() })
    }

    /// Adds processes on the same storage, or ends some, until there are so many.
    pub(crate) async fn scale(&mut self, processes: usize) -> Result<()> {
        while self.others.len() + 1 < processes {
            self.others.push(launch(self.kind, &self.services, &self.folder).await?);
        }
        while self.others.len() + 1 > processes
            && let Some((_, mut child, pid)) = self.others.pop()
        {
            terminate(self.kind, &mut child, pid).await?;
        }
        Ok(())
    }

    /// Of all processes.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        std::iter::once(self.address).chain(self.others.iter().map(|(address, ..)| *address)).collect()
    }

    /// The folder with its data, if that is on the disk.
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Ends the process and starts it anew on what it has stored. Answers how long it took from the start to the first answer.
    pub(crate) async fn restart(&mut self) -> Result<Duration> {
        self.stop().await?;
        let began = Instant::now();
        (self.address, self.child, self.pid) = launch(self.kind, &self.services, &self.folder).await?;
        Ok(began.elapsed())
    }

    /// Asks the process to end, and waits for it.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.scale(1).await?;
        terminate(self.kind, &mut self.child, self.pid).await
    }

    pub(crate) fn cpu(&self) -> Result<Cpu> {
        let storage = match (self.kind, self.services.storage_pids) {
            (Kind::Postgres, (postgres, s3)) => meter::cpu(postgres)? + meter::cpu(s3)?,
            _ => Duration::ZERO,
        };
        let mut pds = meter::cpu(self.pid)?;
        for (.., pid) in &self.others {
            pds += meter::cpu(*pid)?;
        }
        Ok(Cpu { pds, storage, driver: meter::own_cpu()? })
    }

    pub(crate) fn rss_mb(&self) -> Result<f64> {
        meter::rss_mb(self.pid)
    }

    pub(crate) fn peak_rss_mb(&self) -> Result<f64> {
        meter::peak_rss_mb(self.pid)
    }

    pub(crate) fn forget_peak(&self) -> Result<()> {
        meter::forget_peak(self.pid)
    }
}

async fn terminate(kind: Kind, child: &mut Child, pid: u32) -> Result<()> {
    let asked = Command::new("kill").arg("-TERM").arg(pid.to_string()).status().await?;
    if !asked.success() {
        bail!("{} ended before it was asked to", kind.name());
    }
    tokio::time::timeout(STOP, child.wait()).await.context("the PDS does not end")??;
    Ok(())
}

/// Starts the PDS. Somebody else may take a port between the moment in which it was free and the start, so there are three tries.
async fn launch(kind: Kind, services: &Services, folder: &std::path::Path) -> Result<(SocketAddr, Child, u32)> {
    for _ in 0..2 {
        if let Ok(launched) = launch_once(kind, services, folder).await {
            return Ok(launched);
        }
    }
    launch_once(kind, services, folder).await
}

/// Its output goes to `pds.log` in the folder. The process ends with this one's handle on it.
async fn launch_once(kind: Kind, services: &Services, folder: &std::path::Path) -> Result<(SocketAddr, Child, u32)> {
    let (port, metrics_port) = (free_port()?, free_port()?);
    let log = File::options().create(true).append(true).open(folder.join("pds.log"))?;
    let mut command = settings::command(kind, services, folder, port, metrics_port);
    if kind != Kind::Reference {
        command.arg("serve");
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("start {command:?}"))?;
    let pid = child.id().context("the PDS ended at once")?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let began = Instant::now();
    while !healthy(address).await {
        if let Some(status) = child.try_wait()? {
            bail!("{} ended with {status}; see {}", kind.name(), folder.join("pds.log").display());
        }
        if began.elapsed() > START {
            bail!("{} does not answer; see {}", kind.name(), folder.join("pds.log").display());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok((address, child, pid))
}

async fn healthy(address: SocketAddr) -> bool {
    let Ok(mut client) = Client::connect(address).await else { return false };
    client.get("/xrpc/_health").await.is_ok()
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
