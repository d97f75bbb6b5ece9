//! The open connection to an instrument, whatever carries it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_serial::{ClearBuffer, SerialPort, SerialPortBuilderExt, SerialStream};

use super::{SerialLine, Transport};

/// A stream of bytes from and to an instrument.
#[derive(Debug)]
pub(in crate::instrument) enum Stream {
    Tcp(TcpStream),
    Serial(SerialStream),
}

impl Stream {
    /// Opens the way to an instrument.
    pub(in crate::instrument) async fn open(transport: &Transport, limit: Duration) -> Result<Self, String> {
        match transport {
            Transport::Tcp(address) => {
                connect(address.host.as_str(), address.port, limit).await.map(Self::Tcp)
            }
            Transport::Prologix { adapter, gpib } => {
                let mut stream = connect(adapter.host.as_str(), adapter.port, limit).await?;
                let text = prologix_setup(*gpib);
                stream.write_all(text.as_bytes()).await.map_err(|error| error.to_string())?;
                Ok(Self::Tcp(stream))
            }
            Transport::Serial(SerialLine { path, baud, end: _ }) => {
                let port =
                    tokio_serial::new(path, *baud).open_native_async().map_err(|error| error.to_string())?;
                // What an earlier program has left belongs to no query of this one.
                port.clear(ClearBuffer::All).map_err(|error| error.to_string())?;
                Ok(Self::Serial(port))
            }
        }
    }

    /// Reads what has arrived, without waiting.
    pub(in crate::instrument) fn try_read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(bytes),
            Self::Serial(port) => port.try_read(bytes),
        }
    }

    /// Whether bytes have arrived. The system knows this at once, the runtime only after its next poll.
    #[cfg(unix)]
    #[expect(clippy::unused_async, reason = "elsewhere it has to wait")]
    pub(in crate::instrument) async fn has_unread(&self) -> bool {
        match self {
            Self::Tcp(stream) => rustix::io::ioctl_fionread(stream).is_ok_and(|count| count > 0),
            Self::Serial(port) => port.bytes_to_read().is_ok_and(|count| count > 0),
        }
    }

    #[cfg(not(unix))]
    pub(in crate::instrument) async fn has_unread(&self) -> bool {
        match self {
            Self::Tcp(stream) => {
                let peeked = tokio::time::timeout(Duration::ZERO, stream.peek(&mut [0])).await;
                matches!(peeked, Ok(Ok(1)))
            }
            Self::Serial(port) => port.bytes_to_read().is_ok_and(|count| count > 0),
        }
    }
}

async fn connect(host: &str, port: u16, limit: Duration) -> Result<TcpStream, String> {
    let stream = match tokio::time::timeout(limit, TcpStream::connect((host, port))).await {
        Ok(stream) => stream.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("no connection within {} s", limit.as_secs())),
    };
    // Commands are short and wait for their replies. Collecting them (Nagle's algorithm) would only add delay.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(stream)
}

/// Makes the adapter the controller, without writing its memory, and chooses the instrument. A reply is read only on
/// request, because reading without a query makes some instruments report an error. The clear at the end discards what
/// an earlier program has not read.
fn prologix_setup(gpib: u8) -> String {
    format!("++savecfg 0\n++mode 1\n++auto 0\n++eoi 1\n++eos 2\n++read_tmo_ms 3000\n++addr {gpib}\n++clr\n")
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Serial(port) => Pin::new(port).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Serial(port) => Pin::new(port).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Serial(port) => Pin::new(port).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Serial(port) => Pin::new(port).poll_shutdown(cx),
        }
    }
}
