//! The database servers' programs: found on this machine, or installed by its package manager.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::geteuid;

use crate::{command, progress};

/// Tells the packages of PostgreSQL not to start a server of their own on installation.
const CREATE_CLUSTER: &str = "/etc/postgresql-common/createcluster.conf";
const POSTGRES_FOLDER: &str = "/usr/lib/postgresql";

/// Where the servers' programs are.
pub(crate) struct Programs {
    pub(crate) initdb: PathBuf,
    pub(crate) postgres: PathBuf,
    pub(crate) mariadb_install_db: PathBuf,
    pub(crate) mariadbd: PathBuf,
}

/// Finds the programs, after installing what is missing.
pub(crate) fn programs() -> Result<Programs> {
    if postgres().is_none() || mariadb().is_none() {
        install()?;
    }
    let (initdb, postgres) = postgres().context("PostgreSQL's programs `initdb` and `postgres` are not there.")?;
    let (mariadb_install_db, mariadbd) =
        mariadb().context("MariaDB's programs `mariadb-install-db` and `mariadbd` are not there.")?;
    Ok(Programs { initdb, postgres, mariadb_install_db, mariadbd })
}

/// The newest PostgreSQL of the system, else the one in `PATH`.
fn postgres() -> Option<(PathBuf, PathBuf)> {
    let versions = fs::read_dir(POSTGRES_FOLDER).into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .max();
    match newest {
        Some((_, bin)) => Some((bin.join("initdb"), bin.join("postgres"))),
        None => command::find("initdb").zip(command::find("postgres")),
    }
}

fn mariadb() -> Option<(PathBuf, PathBuf)> {
    command::find("mariadb-install-db").zip(command::find("mariadbd"))
}

fn install() -> Result<()> {
    let missing = match (postgres(), mariadb()) {
        (None, None) => "PostgreSQL and MariaDB",
        (None, _) => "PostgreSQL",
        _ => "MariaDB",
    };
    if command::find("apt-get").is_none() {
        bail!(
            "The server programs of {missing} are missing; install them with your package manager and run this again."
        );
    }
    if !geteuid().is_root() && !command::agrees(Command::new("sudo").args(["-n", "true"])) {
        bail!("The server programs of {missing} are missing; run this as root, or `apt-get install` them yourself.");
    }
    progress::step(&format!("Installing {missing}"), || {
        command::run_quietly(&mut as_root("apt-get", &["update", "--quiet"]))?;
        let mut packages = Vec::new();
        if postgres().is_none() {
            packages.push(newest_package("postgresql")?);
            prevent_main_cluster()?;
        }
        if mariadb().is_none() {
            packages.extend([newest_package("mariadb-server-core")?, newest_package("mariadb-client-core")?]);
        }
        let mut apt = as_root("apt-get", &["install", "--yes", "--quiet", "--no-install-recommends"]);
        command::run_quietly(apt.args(["-o", "Dpkg::Options::=--force-confold"]).args(&packages))
            .with_context(|| format!("Cannot install {}", packages.join(", ")))
    })
}

/// The package `name-VERSION` with the highest version, else plain `name`.
fn newest_package(name: &str) -> Result<String> {
    let list = command::read(Command::new("apt-cache").args(["pkgnames", name]))?;
    newest_of(name, &list).with_context(|| format!("The package lists of this machine have no {name}"))
}

fn newest_of(name: &str, list: &str) -> Option<String> {
    let version = |package: &str| {
        let suffix = package.strip_prefix(name)?;
        let Some(digits) = suffix.strip_prefix('-') else { return suffix.is_empty().then(Vec::new) };
        digits.split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>()
    };
    list.lines().filter_map(|package| Some((version(package)?, package))).max().map(|(_, package)| package.to_owned())
}

fn prevent_main_cluster() -> Result<()> {
    if Path::new(CREATE_CLUSTER).exists() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("createcluster.conf");
    fs::write(&file, "create_main_cluster = false\n")?;
    command::run_quietly(as_root("install", &["-D", "-m", "644"]).arg(file).arg(CREATE_CLUSTER))
}

fn as_root(program: &str, arguments: &[&str]) -> Command {
    let mut command = if geteuid().is_root() {
        let mut command = Command::new("env");
        command.arg("DEBIAN_FRONTEND=noninteractive");
        command
    } else {
        let mut command = Command::new("sudo");
        command.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive"]);
        command
    };
    command.arg(program).args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::newest_of;

    #[test]
    fn the_newest_package_wins_and_others_that_begin_alike_do_not_count() {
        let list =
            "postgresql-client-17\npostgresql-9.6\npostgresql-15\npostgresql\npostgresql-common\npostgresql-15-cron";
        assert_eq!(newest_of("postgresql", list).as_deref(), Some("postgresql-15"));
        assert_eq!(newest_of("mariadb-server-core", "mariadb-server-core").as_deref(), Some("mariadb-server-core"));
        assert_eq!(
            newest_of("mariadb-server-core", "mariadb-server-core-10.6\nmariadb-server-core-10.11").as_deref(),
            Some("mariadb-server-core-10.11")
        );
        assert_eq!(newest_of("postgresql", "postgresql-common"), None);
    }
}
