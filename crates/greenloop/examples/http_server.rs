//! A web server on hyper, with a task for each connection.
//!
//! `http_server ADDRESS` prints its address and serves until it is interrupted. hyper needs
//! connections that it can read and write: those of `greenloop::net` have the traits of
//! `futures::io`, and `smol_hyper::rt::FuturesIo` adapts them to hyper's.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use greenloop::net::{TcpListener, TcpStream};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use smol_hyper::rt::FuturesIo;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8000");
    let address = address.parse().map_err(io::Error::other)?;
    greenloop::run(serve(address))
}

async fn serve(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("Listening at http://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        drop(greenloop::spawn(async move {
            if let Err(error) = serve_connection(stream).await {
                eprintln!("{peer}: {error}");
            }
        }));
    }
}

async fn serve_connection(stream: TcpStream) -> hyper::Result<()> {
    let connection = FuturesIo::new(stream);
    http1::Builder::new()
        .serve_connection(connection, service_fn(answer))
        .await
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = format!("{} {}\n", request.method(), request.uri().path());
    Ok(Response::new(Full::from(text)))
}
