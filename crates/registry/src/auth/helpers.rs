//! Credential helpers: programs `docker-credential-NAME` that take a server's
//! address on their input and answer with JSON (docker-credential-helpers'
//! protocol).

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::auth::credential::Credential;
use crate::secret::Secret;

const OUTPUT_LIMIT: u64 = 1 << 20;
/// How helpers say, on their output, that they have none; a part of a protocol
/// that only has exit codes 0 and 1.
const NOT_FOUND: &str = "credentials not found";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks a helper; `None` when it has nothing for that server. Errors go behind
/// the helper's name and repeat nothing it said: that may be a secret.
pub(super) async fn get(
    name: &str,
    server: &str,
    dirs: &[PathBuf],
    limit: Duration,
) -> Result<Option<Credential>, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.len() > 64 || !name.chars().all(plain) {
        return Err("is not a name of a helper".to_owned());
    }
    let program = dirs
        .iter()
        .map(|dir| dir.join(format!("docker-credential-{name}")))
        .find(|path| path.is_file())
        .ok_or("was not found in PATH")?;
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot be run: {error}"))?;
    let talk = async {
        if let Some(mut input) = child.stdin.take() {
            // A helper may answer without reading; then the pipe is closed.
            let _ = input.write_all(server.as_bytes()).await;
            let _ = input.write_all(b"\n").await;
        }
        let mut output = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            pipe.take(OUTPUT_LIMIT + 1).read_to_end(&mut output).await?;
        }
        if output.len() as u64 > OUTPUT_LIMIT {
            return Err(std::io::Error::other("its answer is too long"));
        }
        Ok((child.wait().await?, output))
    };
    let (status, output) = tokio::time::timeout(limit, talk)
        .await
        .map_err(|_| format!("did not answer within {limit:?}"))?
        .map_err(|error| format!("failed: {error}"))?;
    if !status.success() {
        if String::from_utf8_lossy(&output).contains(NOT_FOUND) {
            return Ok(None);
        }
        return Err(format!("failed with {status}; run it by hand to see why"));
    }
    let answer: Answer = serde_json::from_slice(&output)
        .map_err(|_| "gave an answer that is not the expected JSON")?;
    if answer.secret.is_empty() {
        return Ok(None);
    }
    let secret = Secret::new(answer.secret);
    Ok(Some(if answer.username == "<token>" {
        Credential::IdentityToken(secret)
    } else {
        Credential::Basic {
            username: answer.username,
            password: secret,
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    async fn ask(script: &str) -> Result<Option<Credential>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker-credential-x");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        get(
            "x",
            "r.example",
            &[dir.path().to_owned()],
            Duration::from_secs(5),
        )
        .await
    }

    #[tokio::test]
    async fn broken_helpers_are_told_apart_and_not_quoted() {
        let missing = get("x", "r.example", &[], Duration::from_secs(1))
            .await
            .unwrap_err();
        assert!(missing.contains("PATH"), "{missing}");
        assert!(
            get("../x", "r", &["/".into()], Duration::from_secs(1))
                .await
                .is_err()
        );
        let failed = ask("echo s3cret; exit 3").await.unwrap_err();
        assert!(
            failed.contains('3') && !failed.contains("s3cret"),
            "{failed}"
        );
        let junk = ask("echo '{\"Secret\": \"s3cret\"'").await.unwrap_err();
        assert!(junk.contains("JSON") && !junk.contains("s3cret"), "{junk}");
        let endless = ask("yes").await.unwrap_err();
        assert!(endless.contains("too long"), "{endless}");
        assert_eq!(
            ask("echo '{\"Username\":\"\",\"Secret\":\"\"}'").await,
            Ok(None)
        );
    }

    #[tokio::test]
    async fn a_hanging_helper_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker-credential-x");
        std::fs::write(&path, "#!/bin/sh\nexec sleep 60\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = get(
            "x",
            "r",
            &[dir.path().to_owned()],
            Duration::from_millis(200),
        )
        .await;
        assert!(error.unwrap_err().contains("did not answer"));
    }
}
