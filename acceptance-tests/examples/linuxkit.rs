//! Makes the images and reads the results for `fixtures/linuxkit/take.sh`.
//!
//! `images DIR` writes the images, `tar` and `initrd` list what comes on standard input.

use std::io::Read;

use acceptance_tests::linuxkit::{images, initrd, tar};
use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let listing = match words[..] {
        ["images", dir] => return images::write(dir.as_ref()),
        ["tar"] => tar::listing(std::io::stdin().lock())?,
        ["initrd"] => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            let mut listing = initrd::listing(&bytes)?;
            // Those of the tar are the same.
            listing.texts.clear();
            listing
        }
        _ => bail!("call it with `images DIR`, `tar` or `initrd`"),
    };
    print!("{listing}");
    Ok(())
}
