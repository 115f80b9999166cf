//! How an entry is spelled in a file: as JSON without what is null. Every write of the data API makes such a line, so that
//! it is put together by hand.

use std::io;

use kernel::{json, time};
use serde::Serialize;
use uuid::Uuid;

use crate::entry::{Entry, Line};

impl Line {
    /// Appends it with its end of line. Errors: none where `out` is memory.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let mut object = Object::begin(out);
        object.id(r#""tenant_id":"#, self.tenant_id.as_ref());
        object.text(r#""tenant":"#, self.tenant.as_deref());
        object.name(r#""entry":"#);
        self.entry.write(object.out)?;
        object.end();
        out.push(b'\n');
        Ok(())
    }
}

impl Entry {
    fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        // All of them by name, so that whoever adds a field is told to write it, too.
        let Self {
            id,
            ts,
            request_id,
            client_ip,
            user_id,
            username,
            session_id_prefix,
            method,
            path,
            action,
            outcome,
            table,
            rows_affected,
            status,
            duration_ms,
            warning,
            error,
            details,
        } = self;
        let mut object = Object::begin(out);
        object.id(r#""id":"#, Some(id));
        object.text(r#""ts":"#, Some(&time::rfc3339(*ts)));
        object.text(r#""request_id":"#, request_id.as_deref());
        object.text(r#""client_ip":"#, client_ip.as_deref());
        object.value(r#""user_id":"#, user_id.as_ref())?;
        object.text(r#""username":"#, username.as_deref());
        object.text(r#""session_id_prefix":"#, session_id_prefix.as_deref());
        object.text(r#""method":"#, method.as_deref());
        object.text(r#""path":"#, path.as_deref());
        object.text(r#""action":"#, Some(action));
        object.text(r#""outcome":"#, Some(outcome));
        object.text(r#""table":"#, table.as_deref());
        object.value(r#""rows_affected":"#, rows_affected.as_ref())?;
        object.value(r#""status":"#, status.as_ref())?;
        object.value(r#""duration_ms":"#, duration_ms.as_ref())?;
        object.text(r#""warning":"#, warning.as_deref());
        object.text(r#""error":"#, error.as_deref());
        object.value(r#""details":"#, details.as_ref())?;
        object.end();
        Ok(())
    }
}

/// An object whose names are given as they are written, with quotes and colon.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    begun: bool,
}

impl<'o> Object<'o> {
    fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, begun: false }
    }

    fn end(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if std::mem::replace(&mut self.begun, true) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(name.as_bytes());
    }

    fn id(&mut self, name: &str, id: Option<&Uuid>) {
        if let Some(id) = id {
            self.name(name);
            json::string(self.out, id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        }
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        self.name(name);
        json::string(self.out, text);
    }

    fn value<T: Serialize>(&mut self, name: &str, value: Option<&T>) -> io::Result<()> {
        let Some(value) = value else { return Ok(()) };
        self.name(name);
        Ok(serde_json::to_writer(&mut *self.out, value)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use crate::entry::{Entry, Line, id_at, next_moment};

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let text = |text: &str| Some(text.to_owned());
        let ts = next_moment();
        let full = Entry {
            id: id_at(ts),
            ts,
            request_id: text("179577522689498800012345"),
            client_ip: text("192.0.2.7"),
            user_id: Some(-1),
            username: text("a \"b\" \\ \u{1}\n\u{7f} ß 🥐"),
            session_id_prefix: text("01935fd0-8a4c-7d1e"),
            method: text("POST"),
            path: text(""),
            action: "insert".to_owned(),
            outcome: "ok".to_owned(),
            table: text("items"),
            rows_affected: Some(i64::MAX),
            status: Some(200),
            duration_ms: Some(1.25),
            warning: text("w"),
            error: text("e"),
            details: json!({ "a": [1, null, "\""] }).as_object().cloned(),
        };
        let ids = [(Some(Uuid::now_v7()), text("shop")), (None, text("shop")), (None, None)];
        for (tenant_id, tenant) in ids {
            for entry in [full.clone(), Entry { ts, ..Entry::default() }] {
                let line = Line { tenant_id, tenant: tenant.clone(), entry };
                let mut written = Vec::new();
                line.write(&mut written).unwrap();
                assert_eq!(written.iter().position(|byte| *byte == b'\n'), Some(written.len() - 1));
                assert_eq!(serde_json::from_slice::<Line>(&written).unwrap(), line);
            }
        }
    }
}
