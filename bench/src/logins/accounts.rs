//! Those who log in: users who registered themselves.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    http::post,
    servers::{call, insula},
};

const PASSWORD: &str = "nobody waits for this one";
/// One user's devices. Insula takes five log-ins of one user at the same time from one address; from then on they look
/// like guesses and get a 429.
const DEVICES: usize = 4;
/// Fewer than Insula lets wait, so that no registration is refused.
const AT_ONCE: usize = 8;

/// Registers users and gives the bytes of `count` log-ins with the right passwords.
pub(super) async fn log_ins(address: SocketAddr, count: usize) -> Result<Vec<Vec<u8>>> {
    let users = count.div_ceil(DEVICES);
    eprintln!("Registering {users} users …");
    let mut registering = JoinSet::new();
    for number in 0..users {
        if registering.len() >= AT_ONCE
            && let Some(registered) = registering.join_next().await
        {
            registered??;
        }
        registering.spawn(register(address, number));
    }
    while let Some(registered) = registering.join_next().await {
        registered??;
    }
    Ok((0..count).map(|number| log_in(address, number % users)).collect())
}

async fn register(address: SocketAddr, number: usize) -> Result<()> {
    let (username, email) = (username(number), format!("{}@example.com", username(number)));
    let body = json!({ "username": username, "email": email, "password": PASSWORD }).to_string();
    let begun = call(address, &post(address, "/auth/register", None, &body)).await?;
    begun["token"].as_str().map(drop).context("A registration begins no session")
}

fn log_in(address: SocketAddr, user: usize) -> Vec<u8> {
    post(address, "/auth/login", None, &insula::log_in(&username(user), PASSWORD))
}

fn username(number: usize) -> String {
    format!("guest-{number}")
}
