//! The shell script that runs the blocks of a session.

use std::{fmt::Write, fs, path::Path};

use crate::page::Block;

/// What every script begins with: tokens of the users that send queries, and an end for what runs in the background,
/// which has a process group of its own so that nothing of it stays behind.
const BEGINNING: &str = r#"
set -m
trap 'for job in $(jobs -p); do kill -- -$job 2> /dev/null || true; done; wait' EXIT
declare -A __tokens
__query() {
  local password="${2^^}_PASSWORD"
  if [[ ! -v __tokens[$2] ]]; then
    __tokens[$2]=$(curl -sS "$INSULA_URL/auth/login" -H 'Content-Type: application/json' \
      -d "{\"method\":\"password\",\"username\":\"$2\",\"password\":\"${!password}\"}" | sed 's/.*"token":"\([^"]*\)".*/\1/')
  fi
  curl -sS "$INSULA_URL/query" -H "Authorization: Bearer ${__tokens[$2]}" -H 'Content-Type: application/json' \
    --data-binary "@$OUT/$1.json" -o "$OUT/$1.out" -w '%{http_code}' > "$OUT/$1.status"
}
__await() {
  for _ in {1..300}; do
    if curl -s -o /dev/null "$INSULA_URL/health"; then return; fi
    sleep 0.05
  done
  return 1
}
"#;

/// Whether a block shows what the one before it answers.
pub(crate) fn is_answer(block: &Block) -> bool {
    block.info.get(1).is_some_and(|word| word == "answer")
}

/// The script; bodies of queries are written beside it. The error begins with a line's number.
pub(crate) fn of(blocks: &[Block], out: &Path) -> Result<String, String> {
    let mut script = BEGINNING.to_owned();
    for (index, block) in blocks.iter().enumerate() {
        let info: Vec<&str> = block.info.iter().map(String::as_str).collect();
        let text = &block.text;
        let step = match info.as_slice() {
            ["sh", "run"] => format!("{{\n{text}}} > \"$OUT/{index}.out\""),
            ["sh", "run", "background"] => format!("{{\n{text}}} > \"$OUT/{index}.out\" 2>&1 &\n__await"),
            ["json", "query", user] => {
                fs::write(out.join(format!("{index}.json")), text).map_err(|error| error.to_string())?;
                format!("__query {index} {user}")
            }
            ["json" | "text", "answer"] | ["json", "answer", _] if index > 0 => continue,
            _ => return Err(format!("{}: nothing is known of {:?}", block.line, info.join(" "))),
        };
        let _ = write!(script, "echo {index} > \"$OUT/at\"\n{step}\n");
    }
    Ok(script)
}
