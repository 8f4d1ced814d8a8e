//! Files that stand for what a cloud holds, and a log of what was done.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use tfplugin::{Cx, Diagnose, Diagnostic, Diagnostics};

#[derive(Clone, Debug)]
pub struct Cloud(Option<PathBuf>);

impl Cloud {
    pub fn new(dir: Option<String>) -> Self {
        Self(dir.map(PathBuf::from))
    }

    pub fn of(cx: &Cx) -> Result<Self, Diagnostics> {
        cx.provider::<Self>().cloned()
    }

    fn dir(&self) -> Result<&PathBuf, Diagnostics> {
        self.0
            .as_ref()
            .ok_or_else(|| Diagnostic::error("no cloud", "set `dir` in the provider").into())
    }

    /// Makes an object; its name is the next number.
    pub fn register(&self, kind: &str, content: &str) -> Result<String, Diagnostics> {
        let dir = self.dir()?;
        let mut n = 1;
        loop {
            let id = format!("{kind}-{n}");
            let used = self.log()?.contains(&format!("register {id}\n"));
            let made = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(dir.join(&id));
            match made {
                Ok(mut file) if !used => {
                    file.write_all(content.as_bytes())
                        .diagnose("can't register")?;
                    self.note(&format!("register {id}"))?;
                    return Ok(id);
                }
                // Made by mistake: numbers are not used twice.
                Ok(_) => fs::remove_file(dir.join(&id)).diagnose("can't register")?,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).diagnose("can't register"),
            }
            n += 1;
        }
    }

    pub fn deregister(&self, id: &str) -> Result<(), Diagnostics> {
        if self.content(id)?.is_some() {
            fs::remove_file(self.dir()?.join(id)).diagnose("can't deregister")?;
            self.note(&format!("deregister {id}"))?;
        }
        Ok(())
    }

    pub fn content(&self, id: &str) -> Result<Option<String>, Diagnostics> {
        Ok(fs::read_to_string(self.dir()?.join(id)).ok())
    }

    pub fn note(&self, line: &str) -> Result<(), Diagnostics> {
        let path = self.dir()?.join("log");
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.diagnose("can't log")?;
        writeln!(file, "{line}").diagnose("can't log")
    }

    fn log(&self) -> Result<String, Diagnostics> {
        Ok(fs::read_to_string(self.dir()?.join("log")).unwrap_or_default())
    }
}
