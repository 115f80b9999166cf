//! Secrets that are kept in files of their own: `key_file` beside a secret `key`.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use toml::Value;

use super::{
    layer::{Leaf, Origin},
    schema::is_secret,
};

/// Replaces `key_file` by the secret `key` that the file holds. Other values stay as they are.
pub(super) fn resolve(leaf: Leaf) -> Result<Leaf, (Leaf, String)> {
    let Some(key) = leaf.path.last().and_then(|key| key.strip_suffix("_file")) else { return Ok(leaf) };
    let mut path = leaf.path.clone();
    path.pop();
    path.push(key.to_owned());
    if !is_secret(&path) {
        return Ok(leaf);
    }
    let Some(file) = leaf.value.as_str() else { return Err((leaf, "expected the path of a file".to_owned())) };
    match read(&beside(&leaf.origin, Path::new(file))) {
        Ok(text) => Ok(Leaf { path, value: Value::String(text.trim().to_owned()), origin: leaf.origin }),
        Err(problem) => Err((leaf, problem)),
    }
}

/// A path as it is meant: relative to the file that names it.
pub(super) fn beside(origin: &Origin, path: &Path) -> std::path::PathBuf {
    match origin {
        Origin::File { file, .. } => file.parent().unwrap_or(Path::new("")).join(path),
        Origin::Variable(_) | Origin::Flag(_) => path.to_owned(),
    }
}

/// Reads a file with a secret; refuses one that everybody can read.
pub(crate) fn read(file: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    let mode = fs::metadata(file).map_err(cannot)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(format!(
            "{} can be read by every user of this machine (mode {:04o}); run: chmod 600 {0}",
            file.display(),
            mode & 0o7777
        ));
    }
    fs::read_to_string(file).map_err(cannot)
}
