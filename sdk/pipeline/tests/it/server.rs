//! A server for files, as small as HTTP allows.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{collections::BTreeMap, sync::Arc};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What the server says to a path.
#[derive(Clone)]
pub(crate) enum Answer {
    Whole(&'static str),
    /// Half of what it promised.
    Truncated(&'static str),
}

/// Serves `files` until the test ends; its address, without a slash at the end.
pub(crate) async fn serve<const N: usize>(files: [(&'static str, Answer); N]) -> String {
    let files = Arc::new(BTreeMap::from(files));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, files.clone()));
        }
    });
    address
}

async fn answer(mut stream: tokio::net::TcpStream, files: Arc<BTreeMap<&'static str, Answer>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => request.extend(&buffer[..read]),
            _ => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap();
    let (status, promised, body) = match files.get(path) {
        Some(Answer::Whole(text)) => ("200 OK", text.len(), *text),
        Some(Answer::Truncated(text)) => ("200 OK", text.len(), &text[..text.len() / 2]),
        None => ("404 Not Found", 0, ""),
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {promised}\r\nConnection: close\r\n\r\n");
    // A client that hangs up early is no failure of the server.
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.ok();
}
