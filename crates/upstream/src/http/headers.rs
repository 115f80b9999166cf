//! Which headers go to a service and which come back.

use std::{
    collections::BTreeMap,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Component, Path},
};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::config::Header;

/// The largest file with the value of a header, in bytes.
const LARGEST_FILE: u64 = 64 << 10;

/// What a caller may ask of a service whose answer is handed on.
const FROM_CALLER: [HeaderName; 6] = [
    header::RANGE,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_RANGE,
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
];

/// What a service may tell the caller. The length is not among them: it comes with the body.
const FROM_SERVICE: [HeaderName; 8] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_DISPOSITION,
    header::ETAG,
    header::LAST_MODIFIED,
    header::ACCEPT_RANGES,
    header::CONTENT_RANGE,
    header::CACHE_CONTROL,
];

/// Headers that frame messages; they are not the operator's to set.
const FRAMING: [HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The headers of every call. Errors: the field and what is wrong with it.
pub(super) fn fixed(headers: &BTreeMap<String, Header>, folder: &Path) -> Result<HeaderMap, (String, String)> {
    let mut fixed = HeaderMap::new();
    fixed.insert(header::USER_AGENT, HeaderValue::from_static(concat!("insula/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in headers {
        let wrong = |problem: String| (format!("headers.{name}"), problem);
        let parsed = HeaderName::try_from(name).map_err(|_| wrong("this is not the name of a header".to_owned()))?;
        if FRAMING.contains(&parsed) {
            return Err(wrong("this header cannot be set".to_owned()));
        }
        let mut value = match value {
            Header::Text(text) => HeaderValue::from_str(text.expose()),
            Header::File(file) => HeaderValue::from_str(read(folder, &file.file).map_err(wrong)?.trim()),
        }
        .map_err(|_| wrong("its value has characters that a header cannot have".to_owned()))?;
        value.set_sensitive(true);
        fixed.insert(parsed, value);
    }
    Ok(fixed)
}

/// Adds what the caller may ask of the service; fixed headers stay.
pub(super) fn hand_on(caller: &HeaderMap, headers: &mut HeaderMap) {
    for name in FROM_CALLER {
        if let Some(value) = caller.get(&name) {
            headers.entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// What of a service's headers the caller gets.
pub(super) fn hand_back(mut service: HeaderMap) -> HeaderMap {
    let mut headers: HeaderMap =
        FROM_SERVICE.into_iter().filter_map(|name| service.remove(&name).map(|value| (name, value))).collect();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
}

/// Reads a file with a secret; refuses one that everybody can read, and one outside the folder: who may write a toolkit may
/// not send any file of the machine to a service.
fn read(folder: &Path, name: &Path) -> Result<String, String> {
    let file = &folder.join(name);
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    let leads_out = || format!("{} is not in the toolkit's folder; put the file beside the toolkit's", name.display());
    if name.components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(leads_out());
    }
    let real = file.canonicalize().map_err(cannot)?;
    if !real.starts_with(folder.canonicalize().map_err(cannot)?) {
        return Err(leads_out());
    }
    let file_read = std::fs::File::open(&real).map_err(cannot)?;
    let about = file_read.metadata().map_err(cannot)?;
    if !about.is_file() || about.len() > LARGEST_FILE {
        return Err(format!("{} is no file, or too large for a header", file.display()));
    }
    if about.permissions().mode() & 0o007 != 0 {
        return Err(format!("{0} can be read by every user of this machine; run: chmod 600 {0}", file.display()));
    }
    let mut text = String::new();
    file_read.take(LARGEST_FILE).read_to_string(&mut text).map_err(cannot)?;
    Ok(text)
}
