//! The program `insula` as it is built from this working tree.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

/// The program that `INSULA_BIN` names, else the one beside this test, built anew where a source is newer.
pub(crate) fn insula() -> PathBuf {
    if let Some(named) = std::env::var_os("INSULA_BIN") {
        return named.into();
    }
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap();
    let program = folder.join("insula");
    if !is_fresh(&program) {
        build(folder);
    }
    assert!(program.is_file(), "{} was not built; run: cargo build -p insula", program.display());
    program
}

/// Cargo writes beside a program what it was made of.
fn is_fresh(program: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let (Some(built), Ok(sources)) = (modified(program), fs::read_to_string(program.with_extension("d"))) else {
        return false;
    };
    let Some((_, sources)) = sources.trim_end().split_once(": ") else { return false };
    let older = |source: &str| modified(Path::new(source)).is_some_and(|moment: SystemTime| moment <= built);
    // A blank in a name is written with a backslash before it.
    sources.replace("\\ ", "\0").split(' ').all(|source| older(&source.replace('\0', " ")))
}

/// Together with this package, so that dependencies have the features that they have already.
fn build(folder: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "-p", "insula", "-p", "insula-tests", "--bin", "insula", "--profile", profile]);
    command.arg("--target-dir").arg(folder.parent().unwrap()).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(command.status().unwrap().success(), "the program insula cannot be built");
}

/// The book's examples call other programs, too.
pub(crate) fn require(name: &str) {
    let found = Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(found, "the examples of the book need the program {name}; on Debian: apt-get install {name}");
}
