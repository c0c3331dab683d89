//! An echo server over TLS, on rustls.
//!
//! `tls_echo ADDRESS CERTIFICATE` makes a certificate for `localhost`, writes it to the file
//! `CERTIFICATE`, for clients to trust, prints its address, and serves until it is interrupted.
//! `futures-rustls` drives rustls over anything that has the traits of `futures::io`.

use std::error::Error;
use std::sync::Arc;

use futures::AsyncWriteExt as _;
use futures_rustls::TlsAcceptor;
use futures_rustls::rustls::ServerConfig;
use futures_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use greenloop::net::{TcpListener, TcpStream};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(certificate)) = (arguments.next(), arguments.next()) else {
        return Err("usage: tls_echo ADDRESS CERTIFICATE".into());
    };
    let acceptor = acceptor(&certificate)?;
    greenloop::run(async {
        let listener = TcpListener::bind(address.parse()?)?;
        println!("Listening at {}", listener.local_addr()?);
        loop {
            let (stream, peer) = listener.accept().await?;
            let acceptor = acceptor.clone();
            drop(greenloop::spawn(async move {
                if let Err(error) = echo(&acceptor, stream).await {
                    eprintln!("{peer}: {error}");
                }
            }));
        }
    })
}

/// Makes a key and its certificate, and writes that to a file.
fn acceptor(certificate: &str) -> Result<TlsAcceptor, Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed([String::from("localhost")])?;
    std::fs::write(certificate, made.cert.pem())?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn echo(acceptor: &TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
    let (reads, mut writes) = futures::AsyncReadExt::split(acceptor.accept(stream).await?);
    futures::io::copy(reads, &mut writes).await?;
    writes.close().await
}
