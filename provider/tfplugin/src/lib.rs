//! A small framework for Terraform providers: protocol 6, no code generator.
//!
//! - [`model!`] declares a Rust type and its schema at once; doc comments
//!   become descriptions.
//! - [`Resource`], [`DataSource`], [`Function`] and [`Provider`] are what a
//!   provider implements, in blocking code.
//! - [`serve`](serve::serve) speaks the plugin handshake and runs until
//!   Terraform is done.
//! - [`testing`] runs the real `terraform` against a provider, [`docs`] writes
//!   the registry's pages.
//!
//! ```
//! use tfplugin::{Cx, Diagnose, Diagnostics, Provider, Registry, Resource, model, path};
//!
//! struct Notes;
//!
//! model! {
//!     /// A note on this machine.
//!     struct Note {
//!         /// The file it is written to.
//!         path: String = required().replace(),
//!         /// What it says.
//!         text: String = optional().default_str("hello"),
//!         /// Its length in bytes.
//!         size: i64 = computed(),
//!     }
//! }
//!
//! impl Resource for Notes {
//!     type Model = Note;
//!     const NAME: &'static str = "note"; // notes_note
//!
//!     fn create(&self, _: &mut Cx, _: &Note, state: &mut Note) -> Result<(), Diagnostics> {
//!         let (path, text) = (state.path.require(path!("path"))?, state.text.require(path!("text"))?);
//!         std::fs::write(path, text).diagnose_at(path!("path"), "Can't write the note")?;
//!         state.size = (text.len() as i64).into();
//!         Ok(())
//!     }
//!
//!     fn read(&self, _: &mut Cx, mut state: Note) -> Result<Option<Note>, Diagnostics> {
//!         match std::fs::read_to_string(state.path.require(path!("path"))?) {
//!             Ok(text) => state.text = text.into(),
//!             Err(_) => return Ok(None),
//!         }
//!         Ok(Some(state))
//!     }
//!
//!     fn update(&self, cx: &mut Cx, config: &Note, _: &Note, state: &mut Note) -> Result<(), Diagnostics> {
//!         self.create(cx, config, state)
//!     }
//!
//!     fn delete(&self, _: &mut Cx, state: &mut Note) -> Result<(), Diagnostics> {
//!         std::fs::remove_file(state.path.require(path!("path"))?).diagnose("Can't delete the note")
//!     }
//! }
//!
//! impl Provider for Notes {
//!     type Config = ();
//!     type Data = ();
//!     const NAME: &'static str = "notes";
//!
//!     fn configure(&self, _: &mut Cx, (): &()) -> Result<(), Diagnostics> {
//!         Ok(())
//!     }
//!
//!     fn registry(&self) -> Registry {
//!         Registry::new().resource(Notes)
//!     }
//! }
//!
//! tfplugin::testing::check_schemas(Notes).unwrap();
//! ```
//!
//! The framework checks what Terraform itself would only report as a
//! provider's bug: see [`resource`].

pub mod cx;
pub mod data;
pub mod diag;
pub mod docs;
pub mod function;
pub mod log;
mod protocol;
pub mod provider;
pub mod resource;
pub mod schema;
pub mod serve;
mod server;
pub mod testing;
pub mod value;

pub use cx::{Cancel, Cx};
pub use data::DataSource;
pub use diag::{Diagnose, Diagnostic, Diagnostics, Path};
pub use function::{Function, FunctionError};
pub use provider::{Provider, Registry};
pub use resource::Resource;
pub use schema::{Dynamic, Val};
pub use serve::{Launch, serve};
pub use value::Value;
