//! The provider.
use std::process::ExitCode;
/// Serves when Terraform has started this process.
pub fn serve_if_launched() -> Option<ExitCode> {
    None
}
