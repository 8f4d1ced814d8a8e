//! The toy provider as Terraform starts it; without Terraform it says so.
#![allow(
    unreachable_pub,
    reason = "the toys are shared with the tests in this process"
)]

mod toy;

fn main() -> std::process::ExitCode {
    match tfplugin::serve(toy::Toy) {
        Ok(tfplugin::Launch::Served) => std::process::ExitCode::SUCCESS,
        Ok(tfplugin::Launch::NotAPlugin) => {
            println!("not started by Terraform");
            std::process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}
