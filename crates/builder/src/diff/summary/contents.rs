//! Packages, files, sizes, blocks.

use super::super::{Change, Diff, FileChange, FileFacts, PackageChange, Size};
use super::{Detail, Lines, bytes, growth, sign_of};

pub(super) fn packages(diff: &Diff, detail: Detail, lines: &mut Lines) {
    let Some(packages) = &diff.packages else {
        return;
    };
    let items = packages.list.iter().map(package).collect();
    lines.list("packages", items, detail);
    for unread in &packages.unread {
        lines.add(format!("packages not compared: {unread}"));
    }
}

fn package(it: &PackageChange) -> String {
    let version = match (&it.from, &it.to) {
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => String::new(),
    };
    let place = |place: &String| {
        let short = place.strip_prefix("containers/").unwrap_or(place);
        short.to_owned()
    };
    let places: Vec<String> = it.places.iter().map(place).collect();
    let sign = it.change.sign();
    format!(
        "{sign} {} {version}  ({}: {})",
        it.name,
        it.manager,
        places.join(", ")
    )
}

pub(super) fn files(diff: &Diff, detail: Detail, lines: &mut Lines) {
    let Some(files) = &diff.files else { return };
    let mut title = format!(
        "files: {} added, {} removed, {} changed",
        files.added, files.removed, files.changed
    );
    if files.touched > 0 {
        title.push_str(&format!(", {} only in time", files.touched));
    }
    // What gives rights comes first and is never cut.
    let is_flagged = |file: &FileChange| !file.gains.is_empty() || !file.loses.is_empty();
    let flagged: Vec<String> = files
        .list
        .iter()
        .filter(|file| is_flagged(file))
        .map(line)
        .collect();
    let all = Detail {
        lines: detail.lines.max(200),
        ..detail
    };
    lines.list("files that give rights", flagged, all);
    let mut items = Vec::new();
    let mut at = 0;
    while let Some(file) = files.list.get(at) {
        at += 1;
        if is_flagged(file) {
            continue;
        }
        let inside = whole_directory(&files.list[at - 1..]);
        if inside > 0 {
            let sign = file.change.sign();
            items.push(format!("{sign} {}/  ({inside} inside)", file.path));
            at += inside;
        } else {
            items.push(line(file));
        }
    }
    if items.is_empty() {
        lines.add(title);
    } else {
        lines.list(&title, items, detail);
    }
}

/// How many entries that follow a directory came or went with it; none when one of them must be
/// told apart.
fn whole_directory(list: &[FileChange]) -> usize {
    let Some((dir, rest)) = list.split_first() else {
        return 0;
    };
    let is_dir =
        |facts: &Option<FileFacts>| facts.as_ref().is_some_and(|it| it.kind == "directory");
    if dir.change == Change::Changed || !(is_dir(&dir.from) || is_dir(&dir.to)) {
        return 0;
    }
    let below = |file: &&FileChange| {
        let rest = file.path.strip_prefix(dir.path.as_str());
        rest.is_some_and(|rest| rest.starts_with('/'))
            && file.change == dir.change
            && file.gains.is_empty()
            && file.loses.is_empty()
    };
    rest.iter().take_while(below).count()
}

fn line(file: &FileChange) -> String {
    let flagged = !file.gains.is_empty();
    let mut text = format!("{} {}", sign_of(file.change, flagged), file.path);
    match (&file.from, &file.to) {
        (Some(from), Some(to)) => {
            let what: Vec<String> = file
                .what
                .iter()
                .map(|what| aspect(what, from, to))
                .collect();
            text.push_str(&format!("  {}", what.join(", ")));
        }
        (Some(facts), None) | (None, Some(facts)) => {
            text.push_str(&format!("  {} {}:{}", facts.mode, facts.uid, facts.gid));
            if let Some(size) = facts.size {
                text.push_str(&format!(" {}", bytes(size)));
            }
            if let Some(target) = facts.target.as_ref().filter(|_| facts.kind == "symlink") {
                text.push_str(&format!(" → {target}"));
            }
        }
        (None, None) => {}
    }
    if !file.gains.is_empty() {
        text.push_str(&format!("  gains {}", file.gains.join(", ")));
    }
    if !file.loses.is_empty() {
        text.push_str(&format!("  loses {}", file.loses.join(", ")));
    }
    text
}

fn aspect(what: &str, from: &FileFacts, to: &FileFacts) -> String {
    let none = || "none".to_owned();
    let pair = |from: &Option<String>, to: &Option<String>| {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(none);
        format!("{} → {}", text(from), text(to))
    };
    match what {
        "content" => match (from.size, to.size) {
            (Some(old), Some(new)) if old != new => growth(old, new),
            _ => "content".to_owned(),
        },
        "mode" => format!("mode {} → {}", from.mode, to.mode),
        "owner" => format!("owner {}:{} → {}:{}", from.uid, from.gid, to.uid, to.gid),
        "type" => format!("{} → {}", from.kind, to.kind),
        "target" => format!("target {}", pair(&from.target, &to.target)),
        "device" => format!("device {}", pair(&from.device, &to.device)),
        "capabilities" => format!(
            "capabilities {}",
            pair(&from.capabilities, &to.capabilities)
        ),
        other => other.to_owned(),
    }
}

pub(super) fn sizes(diff: &Diff, detail: Detail, lines: &mut Lines) {
    let Some(sizes) = &diff.sizes else { return };
    let mut total = format!("size {}", growth(sizes.from.bytes, sizes.to.bytes));
    if let (Some(from), Some(to)) = (sizes.from.packed, sizes.to.packed) {
        total.push_str(&format!(", packed {}", growth(from, to)));
    }
    let items: Vec<String> = sizes
        .components
        .iter()
        .map(|it| {
            let change = Change::of(it.from.as_ref(), it.to.as_ref()).unwrap_or(Change::Changed);
            let bytes_of = |size: &Option<Size>| size.as_ref().map_or(0, |size| size.bytes);
            let mut text = format!(
                "{} {}  {}",
                change.sign(),
                it.name,
                growth(bytes_of(&it.from), bytes_of(&it.to))
            );
            let packed = |size: &Option<Size>| match size {
                Some(size) => size.packed,
                None => Some(0),
            };
            if let (Some(from), Some(to)) = (packed(&it.from), packed(&it.to)) {
                text.push_str(&format!(", packed {}", growth(from, to)));
            }
            text
        })
        .collect();
    if items.is_empty() {
        lines.add(total);
    } else {
        lines.list(&total, items, detail);
    }
}

pub(super) fn blocks(diff: &Diff, lines: &mut Lines) {
    let Some(blocks) = &diff.blocks else { return };
    if blocks.from_size != blocks.to_size {
        lines.add(format!("disk {}", growth(blocks.from_size, blocks.to_size)));
    }
    lines.add(format!(
        "upload {} of {} blocks of 512 KiB ({}); {} of {} segments are new",
        blocks.differ,
        blocks.to,
        bytes(blocks.send_bytes),
        blocks.new_segments,
        blocks.segments
    ));
}
