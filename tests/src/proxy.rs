//! A way to a database that can be blocked: what is sent then arrives nowhere, as behind a cable that was pulled.

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A proxy in front of a server. It ends with its value.
pub struct Proxy {
    blocked: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// A proxy in front of the server of a URL, with the URL that leads through it.
    ///
    /// # Panics
    /// Where the URL has no port.
    pub async fn before(url: &str) -> (Self, String) {
        let mut url = reqwest::Url::parse(url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (blocked, is_blocked) = watch::channel(false);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, blocked) = (server.clone(), is_blocked.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    let ((from, to), (back_from, back_to)) = (client.into_split(), server.into_split());
                    tokio::select! {
                        () = carry(from, back_to, blocked.clone()) => {}
                        () = carry(back_from, to, blocked) => {}
                    }
                });
            }
        });
        url.set_port(Some(port)).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        (Self { blocked, serving }, url.into())
    }

    /// From now on nothing arrives any more, or everything again.
    pub fn block(&self, blocked: bool) {
        self.blocked.send_replace(blocked);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut blocked: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if blocked.wait_for(|blocked| !*blocked).await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
