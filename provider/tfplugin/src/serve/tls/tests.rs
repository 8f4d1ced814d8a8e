//! Clients as go-plugin makes them, and impostors.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

struct Client {
    cert: rcgen::Certificate,
    key: KeyPair,
}

/// Self-signed, P-521, an authority: as Terraform's.
fn client(name: &str) -> Client {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::OrganizationName, name);
    let cert = params.self_signed(&key).unwrap();
    Client { cert, key }
}

fn pem(cert: &rcgen::Certificate) -> String {
    let text = STANDARD.encode(cert.der());
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

/// Presents a certificate, with whatever key.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl Always {
    fn new(client: &Client) -> Self {
        let key = PrivatePkcs8KeyDer::from(client.key.serialize_der());
        let key = aws_lc_rs::sign::any_supported_type(&key.into()).unwrap();
        Self(Arc::new(CertifiedKey::new(
            vec![client.cert.der().clone()],
            key,
        )))
    }
}

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Sends a byte through; `Err` if either side hung up. `alpn` is what was chosen.
async fn connect(
    pinned: &Client,
    actual: Option<&Client>,
) -> Result<Option<Vec<u8>>, std::io::Error> {
    let (acceptor, certificate) = acceptor(&pem(&pinned.cert)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate)).unwrap();
    let builder =
        rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
    let mut config = match actual {
        Some(client) => builder.with_client_cert_resolver(Arc::new(Always::new(client))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let server = tokio::spawn(async move {
        let mut stream = acceptor.accept(ours).await?;
        stream.write_all(b"x").await?;
        stream.flush().await
    });
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, theirs)
        .await?;
    let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    let read = stream.read_u8().await;
    server.await.unwrap()?;
    read.map(|_| alpn)
}

#[tokio::test]
async fn only_the_pinned_client_gets_in() {
    let terraform = client("HashiCorp");
    let alpn = connect(&terraform, Some(&terraform)).await.unwrap();
    assert_eq!(alpn.as_deref(), Some(&b"h2"[..]));
    // The same name, another key.
    assert!(
        connect(&terraform, Some(&client("HashiCorp")))
            .await
            .is_err()
    );
    assert!(connect(&terraform, None).await.is_err());
    // The right certificate without its key.
    let thief = Client {
        cert: client("HashiCorp").cert,
        key: client("HashiCorp").key,
    };
    assert!(connect(&thief, Some(&thief)).await.is_err());
}

#[test]
fn not_a_certificate() {
    let error = acceptor("x").err().unwrap().to_string();
    assert!(error.contains("PLUGIN_CLIENT_CERT"), "{error}");
}
