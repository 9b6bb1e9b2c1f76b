//! The socket in a registry's directory: a line of JSON asks, lines of JSON answer.
//!
//! Who may use it: the user that the server runs as, and root. That is asked of the kernel for each connection, not
//! left to the file's mode.

use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use super::request::Request;
use super::work::{Done, perform};
use super::workshop::Workshop;
use crate::exit::Exit;
use crate::failure::Failure;

/// The name in the directory.
const NAME: &str = "control.sock";
/// Bytes of a request. It is a few words.
const MAX_REQUEST: u64 = 64 * 1024;
/// How long work waits for a listener that reads nothing (a pager, a stopped shell): a collection under way keeps the
/// next one from beginning.
const LISTENS: Duration = Duration::from_secs(300);

/// One line of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// Something found on the way.
    Item(Value),
    /// The end, with the summary.
    Done { exit: u8, summary: Value },
    /// The end, because it cannot be done.
    Failed { exit: u8, message: String },
}

/// A directory that was opened to name the socket in it: a path may be too long for an address, this never is.
struct Address {
    _folder: std::fs::File,
    path: PathBuf,
}

fn address(root: &Path) -> io::Result<Address> {
    let folder = std::fs::File::open(root)?;
    let path = format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()).into();
    Ok(Address {
        _folder: folder,
        path,
    })
}

/// Answers on the directory's socket for as long as the program runs. Whoever calls holds the directory's lock, so a
/// socket that lies there is nobody's.
pub(crate) fn listen(root: &Path, workshop: Arc<Workshop>) -> io::Result<()> {
    let address = address(root)?;
    match std::fs::remove_file(&address.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&address.path)?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors, most likely: they come back.
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            };
            if is_ours(&stream) {
                tokio::spawn(answer(stream, Arc::clone(&workshop)));
            }
        }
    });
    Ok(())
}

fn is_ours(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

async fn answer(stream: UnixStream, workshop: Arc<Workshop>) {
    let (from, mut to) = stream.into_split();
    let mut line = String::new();
    let read = BufReader::new(from.take(MAX_REQUEST)).read_line(&mut line).await;
    let request = match read.map(|_| serde_json::from_str::<Request>(&line)) {
        Ok(Ok(request)) => request,
        Ok(Err(error)) => {
            let message = format!("the server does not know this request: {error}");
            let _ = send(
                &mut to,
                &Line::Failed {
                    exit: Exit::Usage as u8,
                    message,
                },
            )
            .await;
            return;
        }
        Err(_) => return,
    };
    let (items, mut found) = mpsc::channel(64);
    let work = tokio::spawn(async move { perform(&workshop, request, items).await });
    pass_on(&mut found, &mut to, LISTENS).await;
    let last = match work.await {
        Ok(Ok(done)) => Line::Done {
            exit: done.exit as u8,
            summary: done.summary,
        },
        Ok(Err(failure)) => Line::Failed {
            exit: failure.exit as u8,
            message: failure.to_string(),
        },
        Err(stopped) => Line::Failed {
            exit: Exit::Local as u8,
            message: stopped.to_string(),
        },
    };
    let _ = send(&mut to, &last).await;
}

/// Passes on what is found. Work that was asked for is finished also when nobody listens any more: the channel is
/// drained to its end.
async fn pass_on(found: &mut mpsc::Receiver<Value>, to: &mut OwnedWriteHalf, patience: Duration) {
    let mut listens = true;
    while let Some(item) = found.recv().await {
        if listens {
            let sent = tokio::time::timeout(patience, send(to, &Line::Item(item))).await;
            listens = matches!(sent, Ok(Ok(())));
        }
    }
    if !listens {
        // Half a line must not be followed by another.
        let _ = to.shutdown().await;
    }
}

async fn send(to: &mut OwnedWriteHalf, line: &Line) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    to.write_all(&bytes).await
}

/// The server that has the directory, if one runs.
pub(super) async fn connect(root: &Path) -> Option<UnixStream> {
    let address = address(root).ok()?;
    UnixStream::connect(&address.path).await.ok()
}

/// Puts a request to a running server and hears it out.
pub(super) async fn ask(
    stream: UnixStream,
    request: &Request,
    item: &mut impl FnMut(Value),
) -> Result<Done, Failure> {
    let broken = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Local,
            format!("the running server did not answer to the end: {error}"),
        )
    };
    let (from, mut to) = stream.into_split();
    let mut bytes = serde_json::to_vec(request).map_err(|error| broken(&error))?;
    bytes.push(b'\n');
    to.write_all(&bytes).await.map_err(|error| broken(&error))?;
    let mut lines = BufReader::new(from).lines();
    while let Some(line) = lines.next_line().await.map_err(|error| broken(&error))? {
        match serde_json::from_str(&line).map_err(|error| broken(&error))? {
            Line::Item(value) => item(value),
            Line::Done { exit, summary } => {
                let exit = Exit::from_code(exit);
                return Ok(Done { exit, summary });
            }
            Line::Failed { exit, message } => return Err(Failure::new(Exit::from_code(exit), message)),
        }
    }
    Err(broken(&"it went away"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_reads_nothing_does_not_hold_the_work_up() {
        let (_reads_nothing, ours) = UnixStream::pair().unwrap();
        let (_, mut to) = ours.into_split();
        let (items, mut found) = mpsc::channel(1);
        let work = async move {
            for _ in 0..100 {
                items.send(Value::from("x".repeat(64 * 1024))).await.unwrap();
            }
        };
        let passed_on = pass_on(&mut found, &mut to, Duration::from_millis(50));
        let both = async { tokio::join!(work, passed_on) };
        tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
    }
}
