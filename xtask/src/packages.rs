//! The programs that the tests need: found on this machine, or installed by its package manager.

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

/// Something that the tests need from this machine.
struct Need {
    name: &'static str,
    is_there: fn() -> bool,
    /// What brings it, by the names of Debian's packages.
    packages: fn() -> Result<Vec<String>>,
}

const DATABASES: [Need; 2] = [
    Need { name: "PostgreSQL", is_there: || postgres().is_some(), packages: postgres_packages },
    Need {
        name: "MariaDB",
        is_there: || mariadb().is_some(),
        packages: || Ok(vec![newest_package("mariadb-server-core")?, newest_package("mariadb-client-core")?]),
    },
];

/// What runs the mail server and the OpenID provider of the tests.
const COMPANIONS: [Need; 3] = [
    Need {
        name: "Python with venv",
        is_there: || command::agrees(Command::new("python3").args(["-c", "import ensurepip, venv"])),
        packages: || Ok(vec!["python3-venv".to_owned()]),
    },
    Need {
        name: "Node.js with npm",
        is_there: || command::find("node").is_some() && command::find("npm").is_some(),
        packages: || Ok(vec!["nodejs".to_owned(), "npm".to_owned()]),
    },
    Need {
        name: "certificates of the public authorities",
        is_there: || Path::new("/etc/ssl/certs/ca-certificates.crt").is_file(),
        packages: || Ok(vec!["ca-certificates".to_owned()]),
    },
];

/// Finds the databases' programs, after installing what is missing.
pub(crate) fn programs() -> Result<Programs> {
    install(&DATABASES)?;
    let (initdb, postgres) = postgres().context("PostgreSQL's programs `initdb` and `postgres` are not there.")?;
    let (mariadb_install_db, mariadbd) =
        mariadb().context("MariaDB's programs `mariadb-install-db` and `mariadbd` are not there.")?;
    Ok(Programs { initdb, postgres, mariadb_install_db, mariadbd })
}

/// Installs what the tests need beside the databases.
pub(crate) fn companions() -> Result<()> {
    install(&COMPANIONS)?;
    match COMPANIONS.iter().find(|need| !(need.is_there)()) {
        Some(need) => bail!("{} is not there after the installation.", need.name),
        None => Ok(()),
    }
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

fn postgres_packages() -> Result<Vec<String>> {
    let package = newest_package("postgresql")?;
    prevent_main_cluster()?;
    Ok(vec![package])
}

/// Installs those of the needs that are not there.
fn install(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.is_there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.iter().map(|need| need.name).collect::<Vec<_>>().join(" and ");
    if command::find("apt-get").is_none() {
        bail!("{names}: not on this machine; install that with your package manager and run this again.");
    }
    if !geteuid().is_root() && !command::agrees(Command::new("sudo").args(["-n", "true"])) {
        bail!("{names}: not on this machine; run this as root, or `apt-get install` that yourself.");
    }
    progress::step(&format!("Installing {names}"), || {
        command::run_quietly(&mut as_root("apt-get", &["update", "--quiet"]))?;
        let mut packages = Vec::new();
        for need in missing {
            packages.extend((need.packages)()?);
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
