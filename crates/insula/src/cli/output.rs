//! What commands print: aligned text for people, JSON for programs.

use std::io::{IsTerminal, Write};

use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;

/// Where answers go and in which form.
#[derive(Clone, Copy)]
pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    /// Prints an answer in either form. Who has stopped reading is not told.
    pub(super) fn print(self, value: &impl Serialize, text: impl FnOnce() -> String) {
        let text = if self.json { serde_json::to_string(value).unwrap_or_default() } else { text() };
        let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end());
    }

    /// Prints a list as a table with a header.
    pub(super) fn list<T: Serialize>(self, values: &[T], header: &[&str], row: impl Fn(&T) -> Vec<String>) {
        self.print(&values, || {
            let rows: Vec<_> = values.iter().map(row).collect();
            aligned(header, &rows, is_coloured(&std::io::stdout()))
        });
    }

    pub(super) fn failure(self, failure: &Failure) {
        if self.json {
            let value = json!({ "success": false, "reason": failure.reason(), "error": failure.to_string() });
            let _ = writeln!(std::io::stderr().lock(), "{value}");
        } else {
            let word = if is_coloured(&std::io::stderr()) { "\x1b[31merror:\x1b[0m" } else { "error:" };
            let _ = writeln!(std::io::stderr().lock(), "{word} {failure}");
        }
    }
}

/// Colours are for terminals, and for those who have not declined them (<https://no-color.org>).
fn is_coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A table with a header.
pub(super) fn aligned(header: &[&str], rows: &[Vec<String>], coloured: bool) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(header.get(column).map(|name| name.len())).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<_> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let head = line(&mut header.iter().copied());
    let mut text = if coloured { format!("\x1b[1m{head}\x1b[0m") } else { head };
    for row in rows {
        text.push('\n');
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// A text, or a dash where there is none.
pub(super) fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::aligned;

    #[test]
    fn columns_are_aligned() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["längere".to_owned(), "2".to_owned()]];
        assert_eq!(aligned(&["NAME", "N"], &rows, false), "NAME     N\na        1\nlängere  2");
    }
}
