//! The examples that serve answer clients that know nothing of Greenloop.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

/// An example that runs, and is ended with the test.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(example: &str, arguments: &[&str]) -> Self {
        let cargo = ["run", "--quiet", "--package", "greenloop", "--example"];
        let mut process = Command::new(env!("CARGO"))
            .args(cargo)
            .args([example, "--"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo runs this test, too");
        let output = process.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.trim_end().rsplit([' ', '/']).next();
        let address = address.expect("there is a last word").to_owned();
        Self { process, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().expect("it serves for ever");
        self.process.wait().expect("it is a child of this process");
    }
}

#[test]
fn hyper_answers_each_request_of_a_connection() -> Result<(), Box<dyn Error>> {
    let server = Server::start("http_server", &["127.0.0.1:0"]);
    let mut client = TcpStream::connect(&server.address)?;
    client.write_all(b"GET /one HTTP/1.1\r\nHost: x\r\n\r\nPOST /two HTTP/1.1\r\nHost: x\r\n")?;
    client.write_all(b"Connection: close\r\nContent-Length: 0\r\n\r\n")?;
    let mut answers = String::new();
    client.read_to_string(&mut answers)?;
    assert_eq!(
        answers.matches("HTTP/1.1 200 OK\r\n").count(),
        2,
        "{answers}"
    );
    assert!(answers.contains("\r\n\r\nGET /one\n"), "{answers}");
    assert!(answers.ends_with("\r\n\r\nPOST /two\n"), "{answers}");
    Ok(())
}

#[test]
fn rustls_answers_a_client_that_trusts_its_certificate() -> Result<(), Box<dyn Error>> {
    let file = std::env::temp_dir().join(format!("greenloop-{}.pem", std::process::id()));
    let name = file.to_str().expect("the folder has a name of letters");
    let server = Server::start("tls_echo", &["127.0.0.1:0", name]);
    let mut trusted = RootCertStore::empty();
    trusted.add(CertificateDer::from_pem_file(&file)?)?;
    std::fs::remove_file(&file)?;
    let config = ClientConfig::builder()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let mut tls = ClientConnection::new(Arc::new(config), "localhost".try_into()?)?;
    let mut socket = TcpStream::connect(&server.address)?;
    let mut client = Stream::new(&mut tls, &mut socket);
    // More than a record, so that it comes back in pieces.
    let sent: Vec<u8> = (0..100_000_u32)
        .map(|number| number.to_le_bytes()[1])
        .collect();
    client.write_all(&sent[..40_000])?;
    let mut received = vec![0; sent.len()];
    client.read_exact(&mut received[..40_000])?;
    client.write_all(&sent[40_000..])?;
    client.read_exact(&mut received[40_000..])?;
    assert_eq!(received, sent);
    client.conn.send_close_notify();
    client.flush()?;
    assert_eq!(client.read(&mut [0])?, 0);
    Ok(())
}
