//! What programs get and what they may answer.

use std::collections::BTreeMap;

use kernel::Reason;
use serde_json::{Value, json};

use crate::world::Script;

#[tokio::test]
async fn the_context_is_on_standard_input_and_the_last_argument() {
    let script = Script::python("import sys, json\nprint(json.dumps([sys.stdin.read(), sys.argv[2:]]))");
    let context = r#"{"a": "ä $(id) ' \" \\ "}"#;
    assert_eq!(script.run(context).await.unwrap(), json!([context, [context]]));
    let hidden = script.with(|config| config.context_as_argument = false);
    assert_eq!(hidden.run(context).await.unwrap(), json!([context, []]));
}

#[tokio::test]
async fn a_large_context_is_on_standard_input_alone() {
    let script = Script::python("import sys, json\nprint(json.dumps([len(sys.stdin.read()), len(sys.argv)]))");
    for (length, arguments) in [((64 << 10) - 1, 3), (64 << 10, 2), (5_000_000, 2)] {
        assert_eq!(script.run(&"x".repeat(length)).await.unwrap(), json!([length, arguments]), "{length}");
    }
}

#[tokio::test]
async fn a_program_need_not_read() {
    let script = Script::shell("exec <&-\necho 7");
    assert_eq!(script.run(&"x".repeat(5_000_000)).await.unwrap(), json!(7));
    let never = Script::shell("echo 8");
    assert_eq!(never.run(&"x".repeat(5_000_000)).await.unwrap(), json!(8));
}

#[tokio::test]
async fn text_is_wrapped_and_json_is_kept() {
    for (print, answer) in [
        (r#"printf '{"b":1,"a":2}'"#, json!({"b": 1, "a": 2})),
        ("echo hello", json!({"output": "hello\n"})),
        ("true", json!({"output": ""})),
        ("printf '{}{}'", json!({"output": "{}{}"})),
        ("printf 'null'", Value::Null),
        ("printf '\\303\\244'", json!({"output": "ä"})),
    ] {
        assert_eq!(Script::shell(print).run("{}").await.unwrap(), answer, "{print}");
    }
    let large = Script::shell("head -c 8388608 /dev/zero | tr '\\0' x");
    assert_eq!(large.run("{}").await.unwrap()["output"].as_str().unwrap().len(), 8 << 20);
}

#[tokio::test]
async fn the_environment_holds_what_is_configured_and_nothing_else() {
    let script = Script::python("import os, json\nprint(json.dumps(dict(os.environ)))");
    // What Python sets for itself in a locale without a name is no environment of the server's.
    let seen = |mut answer: Value| {
        answer.as_object_mut().unwrap().remove("LC_CTYPE");
        answer
    };
    assert_eq!(seen(script.run("{}").await.unwrap()), json!({}));
    let script = script.with(|config| config.environment = BTreeMap::from([("A".to_owned(), "b c=d".to_owned())]));
    assert_eq!(seen(script.run("{}").await.unwrap()), json!({"A": "b c=d"}));
}

#[tokio::test]
async fn a_program_has_its_folder_and_three_descriptors_and_no_terminal() {
    let text = "import os, json\nprint(json.dumps([sorted(map(int, os.listdir('/proc/self/fd'))), os.getcwd()]))";
    let script = Script::python(text);
    // The fourth is the one that lists.
    assert_eq!(script.run("{}").await.unwrap(), json!([[0, 1, 2, 3], "/"]));
    let folder = script.path().to_owned();
    let script = script.with(|config| config.working_directory = Some(folder.clone()));
    assert_eq!(script.run("{}").await.unwrap()[1], json!(folder.to_str().unwrap()));
    assert_eq!(
        Script::shell("exec 3</dev/tty && echo yes || echo no").run("{}").await.unwrap_err().reason,
        Reason::ProgramFailed
    );
}

#[tokio::test]
async fn descriptors_that_the_server_inherited_are_closed() {
    // Without close-on-exec, as a careless parent leaves them.
    let file = std::fs::File::open("/etc/passwd").unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let script = Script::python("import os, json\nprint(json.dumps(len(os.listdir('/proc/self/fd'))))");
    assert_eq!(script.run("{}").await.unwrap(), json!(4));
}

#[tokio::test]
async fn limits_are_set() {
    let text = "import resource as r, json, os\n\
        print(json.dumps([r.getrlimit(x) for x in (r.RLIMIT_CPU, r.RLIMIT_AS, r.RLIMIT_NOFILE, r.RLIMIT_FSIZE, r.RLIMIT_CORE)] + [os.nice(0)]))";
    let expected = json!([[10, 11], [512 << 20, 512 << 20], [64, 64], [256 << 20, 256 << 20], [0, 0], 10]);
    assert_eq!(Script::python(text).run("{}").await.unwrap(), expected);
}

#[tokio::test]
async fn what_it_prints_is_handed_on_as_it_is() {
    let run = async |text: &str| Script::python(text).upstream().run(bytes::Bytes::from_static(b"{}"), "1").await;
    let printed = run(r#"print('{"$serde_json::private::RawValue":"' + '[' * 200000 + '"}')"#).await.unwrap();
    let text = "[".repeat(200_000);
    assert_eq!(printed.get(), format!("{{\"$serde_json::private::RawValue\":\"{text}\"}}"));
    let error = run("print('[' * 200000 + ']' * 200000)").await.unwrap_err();
    assert_eq!(error.reason, kernel::Reason::UpstreamInvalid);
}
