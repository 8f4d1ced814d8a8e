//! TLS in which both sides know exactly one certificate: the other's.
//!
//! Terraform's is self-signed and a certificate authority at once, with a key
//! on the curve P-521, so the usual path to a trusted root neither works nor
//! says anything. It came through the environment of this process, which nobody
//! else can write: the client must present that very one.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use tokio_rustls::TlsAcceptor;

use super::ServeError;

/// Accepts the client with the certificate `client` (PEM). Returns our own
/// certificate too, in DER.
pub(super) fn acceptor(client: &str) -> Result<(TlsAcceptor, Vec<u8>), ServeError> {
    let failed = |error: &dyn std::fmt::Display| ServeError::Tls(error.to_string());
    let client = CertificateDer::from_pem_slice(client.as_bytes())
        .map_err(|e| ServeError::Tls(format!("PLUGIN_CLIENT_CERT is not a certificate: {e}")))?;
    let own =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(|e| failed(&e))?;
    let crypto = Arc::new(aws_lc_rs::default_provider());
    let verifier = Pinned {
        client,
        algorithms: crypto.signature_verification_algorithms,
    };
    let certificate = own.cert.der().to_vec();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let mut config = rustls::ServerConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(&e))?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .map_err(|e| failed(&e))?;
    // Newer gRPC clients refuse a server that doesn't choose HTTP/2.
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), certificate))
}

#[derive(Debug)]
struct Pinned {
    client: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if *end_entity == self.client {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    // That the client holds the certificate's key is checked as ever.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
