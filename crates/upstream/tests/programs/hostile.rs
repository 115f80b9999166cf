//! Programs that do what they must not.

use std::time::Duration;

use bytes::Bytes;
use kernel::{ByteSize, Reason, Span};
use serde_json::json;

use crate::world::Script;

const SHORT: Span = Span(Duration::from_millis(300));

#[tokio::test]
async fn one_that_sleeps_is_ended_in_time() {
    let script = Script::shell("$1/nap 1000 & $1/nap 1000").with(|config| config.timeout = SHORT);
    let (reason, message, took) = script.fails().await;
    assert_eq!(reason, Reason::UpstreamTimeout);
    assert_eq!(message, "The program behind the endpoint did not end within 300ms");
    assert!(took < Duration::from_secs(20), "{took:?}");
    script.is_gone().await;
}

#[tokio::test]
async fn one_that_counts_for_ever_uses_no_more_than_its_processor_time() {
    let spin = "import os\nfor _ in range(3): os.fork()\nwhile True: pass";
    for text in ["while True: pass", spin] {
        let script = Script::python(text).with(|config| {
            config.cpu_time = Span::seconds(1);
            config.timeout = Span::seconds(300);
        });
        let (reason, message, _) = script.fails().await;
        assert_eq!(reason, Reason::ProgramFailed);
        assert_eq!(message, "The program behind the endpoint used more than 1s of processor time");
        script.is_gone().await;
    }
}

#[tokio::test]
async fn one_that_eats_memory_fails_alone() {
    let alone =
        Script::python("x = []\nwhile True: x.append(bytearray(1 << 20))").with(|c| c.memory = ByteSize(64 << 20));
    assert_eq!(alone.fails().await.0, Reason::ProgramFailed);
    alone.is_gone().await;

    let text = "import os, time\nfor _ in range(3): os.fork()\nx = bytearray(os.urandom(20 << 20))\ntime.sleep(100)";
    let together = Script::python(text).with(|config| config.memory = ByteSize(100 << 20));
    let (reason, message, _) = together.fails().await;
    assert_eq!(
        (reason, &*message),
        (Reason::ProgramFailed, "The program behind the endpoint used more than 100MB of memory")
    );
    together.is_gone().await;
}

#[tokio::test]
async fn memory_that_is_shared_is_counted_once() {
    let text = "import os, time\nx = bytearray(os.urandom(30 << 20))\nfor _ in range(3): os.fork()\ntime.sleep(0.3)\nprint(1)\n\
        try:\n    while True: os.wait()\nexcept ChildProcessError: pass";
    let script = Script::python(text).with(|config| config.memory = ByteSize(130 << 20));
    assert_eq!(script.run("{}").await.unwrap()["output"], "1\n".repeat(8));
}

#[tokio::test]
async fn one_that_prints_for_ever_is_ended() {
    let script = Script::shell("yes $1").with(|config| config.max_output_size = ByteSize(1 << 20));
    let (reason, message, took) = script.fails().await;
    assert_eq!((reason, &*message), (Reason::ProgramFailed, "The program behind the endpoint printed more than 1MB"));
    assert!(took < Duration::from_secs(20), "{took:?}");
    script.is_gone().await;
}

#[tokio::test]
async fn errors_without_end_do_not_stop_a_program() {
    let script = Script::shell("head -c 3000000 /dev/zero >&2; echo 1");
    assert_eq!(script.run("{}").await.unwrap(), json!(1));
    let script = Script::shell("yes $1 >&2").with(|config| config.timeout = SHORT);
    assert_eq!(script.fails().await.0, Reason::UpstreamTimeout);
    script.is_gone().await;
}

#[tokio::test]
async fn one_that_forks_without_end_is_ended_with_all_its_children() {
    let bombs = [
        "import os, time\nfor _ in range(200):\n    if os.fork() == 0: time.sleep(1000)\ntime.sleep(1000)",
        "import os, time\nfor _ in range(200):\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(1000)\ntime.sleep(1000)",
        // Each starts the next and leaves the group, and the ones before end.
        "import os, time\nfor _ in range(200):\n    if os.fork() == 0: os.setsid(); continue\n    time.sleep(1000)",
        "import os, time\nfor _ in range(8):\n    os.fork()\n    os.setpgid(0, 0)\ntime.sleep(1000)",
    ];
    for bomb in bombs {
        let script = Script::python(bomb);
        let (reason, message, took) = script.fails().await;
        assert_eq!(
            (reason, &*message),
            (Reason::ProgramFailed, "The program behind the endpoint started more than 16 processes")
        );
        assert!(took < Duration::from_secs(20), "{took:?}");
        script.is_gone().await;
    }
}

#[tokio::test]
async fn threads_are_bounded_too() {
    let text = "import threading, time\nthreading.stack_size(65536)\n\
        for _ in range(400): threading.Thread(target=time.sleep, args=(1000,)).start()";
    let script = Script::python(text).with(|config| config.max_processes = 1);
    let (reason, message, _) = script.fails().await;
    assert_eq!(
        (reason, &*message),
        (Reason::ProgramFailed, "The program behind the endpoint started more than 1 processes")
    );
    script.is_gone().await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_ended() {
    let script = Script::shell("setsid $1/nap 1000 & $1/nap 1000 & (setsid $1/nap 1000 &) ; echo 1");
    assert_eq!(script.run("{}").await.unwrap(), json!(1));
    assert_eq!(script.left(), [""; 0], "an answer means that nothing is left");
    // Also where it holds the output open.
    let daemon = "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\ntime.sleep(1000)";
    let script = Script::python(daemon);
    assert_eq!(script.run("{}").await.unwrap(), json!({"output": ""}));
    assert_eq!(script.left(), [""; 0]);
}

#[tokio::test]
async fn many_orphans_that_end_do_not_pile_up() {
    let text = "import os, time\nfor _ in range(100):\n    if os.fork() == 0:\n        if os.fork(): os._exit(0)\n        os._exit(0)\n    os.wait()\n    time.sleep(0.005)\nprint(1)";
    assert_eq!(Script::python(text).run("{}").await.unwrap(), json!(1));
}

#[tokio::test]
async fn garbage_and_failures_are_told() {
    let invalid = Script::shell("printf '\\377\\376'");
    let (reason, message, _) = invalid.fails().await;
    assert_eq!(
        (reason, &*message),
        (Reason::UpstreamInvalid, "The program behind the endpoint printed what is not UTF-8")
    );
    for (text, problem) in [
        ("echo '{}'; echo secret >&2; exit 3", "ended with status 3"),
        ("kill -SEGV $$", "was ended by signal 11"),
        ("head -c 2000000 /dev/zero > $1/file; exit 1", "ended with status 1"),
        ("exec head -c 2000000 /dev/zero > $1/file", "wrote a file of more than 1MB"),
    ] {
        let script = Script::shell(text).with(|config| config.max_file_size = ByteSize(1 << 20));
        let (reason, message, _) = script.fails().await;
        assert_eq!((reason, message), (Reason::ProgramFailed, format!("The program behind the endpoint {problem}")));
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told_without_its_path() {
    let script = Script::shell("echo 1");
    std::fs::remove_file(script.path().join("script")).unwrap();
    let error = script.run("{}").await.unwrap_err();
    assert_eq!(
        (error.reason, &*error.message),
        (Reason::ProgramFailed, "The program behind the endpoint cannot be started")
    );
    assert!(error.to_string().contains("No such file"), "{error}");
    let broken = Script::new("/no/such/interpreter", "");
    assert_eq!(broken.fails().await.1, "The program behind the endpoint ended with status 127");
    let folder = Script::shell("echo 1").with(|config| config.working_directory = Some("/no/such/folder".into()));
    assert_eq!(folder.fails().await.1, "The program behind the endpoint cannot be started");
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_the_program_along() {
    let script = Script::shell("setsid $1/nap 1000 & $1/nap 1000");
    let upstream = std::sync::Arc::new(script.upstream());
    let own = std::sync::Arc::clone(&upstream);
    let call = tokio::spawn(async move { own.run(Bytes::from_static(b"{}"), "1").await });
    script.has_started(3).await;
    call.abort();
    script.is_gone().await;
}

#[tokio::test]
async fn no_more_run_at_once_than_is_allowed() {
    let script = Script::shell("$1/nap 1000").with(|config| {
        config.max_concurrent = 2;
        config.timeout = Span::seconds(1);
    });
    let upstream = script.upstream();
    let run = || upstream.run(Bytes::from_static(b"{}"), "1");
    let reasons = tokio::join!(run(), run(), run(), run());
    let reasons = [reasons.0, reasons.1, reasons.2, reasons.3].map(|ran| ran.unwrap_err());
    assert_eq!(
        reasons.each_ref().map(|error| error.reason),
        [Reason::UpstreamTimeout, Reason::UpstreamTimeout, Reason::Busy, Reason::Busy]
    );
    assert_eq!(reasons[3].retry_after, Some(1));
    script.is_gone().await;
    while let Err(error) = run().await {
        if error.reason == Reason::UpstreamTimeout {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_program_that_stops_its_launcher_is_ended_all_the_same() {
    let script =
        Script::shell("setsid $1/nap 1000 &\nkill -STOP $PPID\n$1/nap 1000").with(|config| config.timeout = SHORT);
    assert_eq!(script.fails().await.0, Reason::UpstreamTimeout);
    let begin = std::time::Instant::now();
    while !script.left().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "left: {:?}", script.left());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_program_that_kills_its_launcher_fails_and_ends() {
    let script = Script::shell("kill -KILL $PPID\n$1/nap 1000");
    let (reason, message, _) = script.fails().await;
    assert_eq!((reason, &*message), (Reason::ProgramFailed, "The program behind the endpoint could not be run"));
}

#[test]
fn a_server_that_ends_takes_its_programs_along() {
    let script = Script::shell("setsid $1/nap 1000 & $1/nap 1000");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let upstream = script.upstream();
    runtime.spawn(async move { upstream.run(Bytes::from_static(b"{}"), "1").await });
    runtime.block_on(script.has_started(3));
    runtime.shutdown_background();
    tokio::runtime::Runtime::new().unwrap().block_on(script.is_gone());
}
