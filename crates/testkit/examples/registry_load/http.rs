//! One keep-alive connection: as few system calls and copies as a client can do with.

use std::io;
use std::net::SocketAddr;

use rustix::net::RecvFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpSocket, TcpStream};

/// Room for the head of an answer, and whatever of the body comes with it.
const HEAD: usize = 16 << 10;
/// Thrown away by one call. Its memory is never touched.
const DISCARD: usize = 1 << 20;

pub(crate) struct Connection {
    tcp: TcpStream,
    head: Vec<u8>,
    /// What of `head` was received and not looked at yet.
    start: usize,
    end: usize,
    discarded: Vec<u8>,
}

/// The head of an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    length: Length,
}

#[derive(Clone, Copy)]
enum Length {
    Known(u64),
    Chunked,
}

impl Connection {
    /// With a receive buffer of so many bytes, or what the system thinks best.
    pub(crate) async fn open(address: SocketAddr, receive_buffer: Option<u32>) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let tcp = socket.connect(address).await?;
        tcp.set_nodelay(true)?;
        Ok(Self {
            tcp,
            head: vec![0; HEAD],
            start: 0,
            end: 0,
            discarded: vec![0; DISCARD],
        })
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tcp.write_all(bytes).await
    }

    /// The head of the next answer; `to_head`: of one that has no body whatever its length says.
    pub(crate) async fn answer(&mut self, to_head: bool) -> io::Result<Answer> {
        loop {
            let received = &self.head[self.start..self.end];
            if let Some(at) = find(received, b"\r\n\r\n") {
                let mut answer = parse(&received[..at])?;
                if to_head || answer.status == 204 || answer.status == 304 {
                    answer.length = Length::Known(0);
                }
                self.start += at + 4;
                return Ok(answer);
            }
            self.receive().await?;
        }
    }

    /// Throws the body away and says how long it was.
    pub(crate) async fn finish(&mut self, answer: &Answer) -> io::Result<u64> {
        match answer.length {
            Length::Known(len) => self.discard(len).await.map(|()| len),
            Length::Chunked => self.discard_chunks().await,
        }
    }

    async fn discard_chunks(&mut self) -> io::Result<u64> {
        let mut total = 0;
        loop {
            let line = self.line().await?;
            let size = u64::from_str_radix(&line, 16).map_err(|_| wrong(&line))?;
            self.discard(size + 2).await?;
            if size == 0 {
                return Ok(total);
            }
            total += size;
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            let received = &self.head[self.start..self.end];
            if let Some(at) = find(received, b"\r\n") {
                let line = String::from_utf8_lossy(&received[..at]).into_owned();
                self.start += at + 2;
                return Ok(line);
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> io::Result<()> {
        self.head.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        match self.tcp.read(&mut self.head[self.end..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.end += read;
                Ok(())
            }
        }
    }

    async fn discard(&mut self, len: u64) -> io::Result<()> {
        let held = len.min((self.end - self.start) as u64);
        self.start += held as usize;
        let mut left = len - held;
        while left > 0 {
            self.tcp.readable().await?;
            let want = left.min(DISCARD as u64) as usize;
            let (tcp, buffer) = (&self.tcp, &mut self.discarded[..want]);
            // TCP reads TRUNC as: drop the bytes instead of copying them.
            let done = tcp.try_io(Interest::READABLE, || {
                Ok(rustix::net::recv(tcp, buffer, RecvFlags::TRUNC)?.1)
            });
            match done {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => left -= read as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Answer {
    /// # Errors
    /// Unless the status is this one.
    pub(crate) fn expect(self, status: u16, what: &str) -> io::Result<Self> {
        match self.status == status {
            true => Ok(self),
            false => Err(io::Error::other(format!(
                "{what}: status {}, not {status}",
                self.status
            ))),
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn parse(head: &[u8]) -> io::Result<Answer> {
    let text = std::str::from_utf8(head).map_err(|_| wrong("the head of an answer"))?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.get(9..12).and_then(|digits| digits.parse().ok());
    let mut answer = Answer {
        status: status.ok_or_else(|| wrong(first))?,
        location: None,
        length: Length::Known(0),
    };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            answer.length = Length::Known(value.parse().map_err(|_| wrong(value))?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            answer.length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("location") {
            answer.location = Some(value.to_owned());
        }
    }
    Ok(answer)
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {what}"))
}
