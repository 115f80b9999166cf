//! Sockets that a service manager opened.

use std::{net::TcpListener, os::fd::AsRawFd};

use insula_tests::{Backend, Client};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::{FORCED, installation, restart};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_of_the_service_manager_is_served_and_outlives_restarts() {
    let program = installation(Backend::Sqlite);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Connected before there is a program.
    let early = {
        let client = Client::of(format!("http://{address}"));
        tokio::spawn(async move { client.get("/").await })
    };
    fcntl_setfd(&socket, FdFlags::empty()).unwrap();
    let mut command = program.command(&["serve", "--listen", &address.to_string()]);
    command.env("LISTEN_FDS", "1").env("LISTEN_FDS_FIRST_FD", socket.as_raw_fd().to_string());
    let serving = program.serve_by(&mut command).await;
    drop(socket);
    assert_eq!(serving.address(), address.to_string());
    assert_eq!(early.await.unwrap().status, 200);
    let mut client = serving.user(&program.tenant, "ada").await;
    for _ in 0..3 {
        client = restart(&program, &serving, &client, FORCED).await;
    }
    assert_eq!(client.get("/auth/status").await.status, 200);
    // When it ends, the socket ends with it.
    serving.terminate();
    assert_eq!(serving.ended().await.code(), Some(0));
    assert!(TcpListener::bind(address).is_ok());
    program.end();
}
