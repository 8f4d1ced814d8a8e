//! Events → tree: anchors, aliases and merge keys resolved, duplicates found, size bounded.

use std::collections::HashMap;
use std::rc::Rc;

use serde_saphyr::granit_parser::{
    Event, Parser, ScalarStyle, Span, StrInput, StructureStyle, options,
};

use super::frame::{Content, Frame, Key};
use super::strict::{self, Strict};
use super::{Comment, Item, Node, Pair, Source, Spot, Value, scalar};
use crate::fault::{Fault, Faults, quoted};

/// Bytes of one document.
const MAX_TEXT: usize = 16 << 20;
/// Values of one document, aliases expanded.
pub(super) const MAX_NODES: usize = 200_000;
/// Bytes of all scalars, aliases expanded.
const MAX_BYTES: usize = 32 << 20;
/// Collections within each other, aliases expanded.
const MAX_DEPTH: usize = 64;

/// What a text held.
#[derive(Debug, Default)]
pub(crate) struct Composed {
    /// The first document's value; none when there is none or it can't be read.
    pub(crate) root: Option<Item>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) faults: Faults,
}

/// Reads the first document of a text; what follows it is ignored, as LinuxKit does.
pub(crate) fn compose(source: &Source<'_>, text: &str) -> Composed {
    if text.len() > MAX_TEXT {
        let size = text.len();
        let message = format!("the text has {size} bytes, more than the {MAX_TEXT} that are read");
        let fault = Fault::new("", message).at(source.place(Spot::START, 1));
        return Composed {
            faults: fault.into(),
            ..Composed::default()
        };
    }
    let options = options! {
        emit_unresolved_aliases: true,
        // As libyaml, and so go-yaml, reads an unfinished last line.
        block_scalar_eof_without_line_feed: true,
        // Comment blocks may be as long as they like; the text is bounded.
        max_buffered_comment_events: MAX_TEXT,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut composer = Composer {
        source,
        stack: Vec::new(),
        anchors: HashMap::new(),
        out: Composed::default(),
        ended: false,
        document: false,
        last_line: source.lines(),
        nodes: 0,
        strict: Strict::default(),
    };
    let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str_with_options(text, options);
    while !composer.ended
        && let Some(next) = parser.next_event()
    {
        match next {
            Ok((event, span)) => composer.event(event, &span),
            Err(error) => {
                let spot = Spot::new(error.marker());
                composer.stop(
                    spot,
                    Fault::new("", format!("YAML syntax: {}", error.info())),
                );
            }
        }
    }
    composer.finish()
}

struct Composer<'s, 't> {
    source: &'s Source<'t>,
    stack: Vec<Frame>,
    /// Finished anchored nodes; `None` while they are still open.
    anchors: HashMap<usize, Option<Rc<Node>>>,
    out: Composed,
    ended: bool,
    document: bool,
    /// The last line of the first document.
    last_line: usize,
    nodes: usize,
    strict: Strict,
}

impl Composer<'_, '_> {
    fn fault(&mut self, spot: Spot, length: usize, fault: Fault) {
        let source = self.source;
        self.out
            .faults
            .push_at(|| fault, || source.place(spot, length));
    }

    /// Nothing behind this can be read.
    fn stop(&mut self, spot: Spot, fault: Fault) {
        self.fault(spot, 1, fault);
        self.out.root = None;
        self.stack.clear();
        self.ended = true;
    }

    fn too_big(&mut self, spot: Spot, message: String) {
        let fault = Fault::new("", message);
        self.stop(
            spot,
            fault.help("write it smaller: fewer values, or aliases of smaller ones"),
        );
    }

    fn event(&mut self, event: Event<'_>, span: &Span) {
        let spot = Spot::new(&span.start);
        if event.is_node() && !self.in_flow() && self.source.is_tab_indented(spot) {
            let fault = Fault::new("", "YAML syntax: a tab stands in front of this");
            self.stop(spot, fault.help("indent with spaces"));
            return;
        }
        match event {
            Event::DocumentStart(..) => self.document = true,
            Event::DocumentEnd | Event::StreamEnd => {
                self.ended = true;
                if source_line_is_marker(self.source.line(spot.line)) {
                    self.last_line = spot.line.saturating_sub(1);
                }
            }
            Event::Comment(text, _) => {
                let text = text.into_owned();
                self.out.comments.push(Comment {
                    line: spot.line,
                    text,
                });
            }
            Event::Scalar(text, style, anchor, tag) => {
                let one_line = span.start.line() == span.end.line();
                let length = if one_line { span.len() } else { 1 };
                let plain = style == ScalarStyle::Plain;
                if let Some((spot, fault)) = self.strict.scalar(self.source, span, style) {
                    self.fault(spot, 1, fault);
                }
                let merge = text == "<<"
                    && tag.as_deref().map_or(plain, |tag| {
                        scalar::is_merge(tag) || plain && scalar::is_bare(tag)
                    });
                let value = match scalar::resolve(&text, plain, tag.as_deref()) {
                    Ok(value) => value,
                    Err(message) => {
                        self.fault(spot, length, Fault::new("", message));
                        Value::Broken
                    }
                };
                let node = Rc::new(Node {
                    value,
                    nodes: 1,
                    bytes: text.len(),
                    depth: 1,
                });
                self.define(anchor, &node);
                self.add(Item { spot, length, node }, merge);
            }
            Event::SequenceStart(style, anchor, _) => {
                self.open(spot, anchor, style, Content::List(Vec::new()))
            }
            Event::MappingStart(style, anchor, _) => self.open(spot, anchor, style, Content::map()),
            Event::SequenceEnd | Event::MappingEnd => self.close(span.end.line()),
            Event::Alias(anchor) => {
                let line = self.source.line(spot.line).chars();
                let name: String = line.skip(spot.column).take(span.len() - 1).collect();
                if strict::is_name(&name) {
                    self.alias(anchor, spot, span.len());
                } else {
                    let message = format!("LinuxKit does not take {} for a name", quoted(&name));
                    let fault = Fault::new("", message);
                    let help = "name anchors with letters, digits, `_` and `-`";
                    self.fault(spot, span.len(), fault.help(help));
                    self.broken(spot);
                }
            }
            Event::UnresolvedAlias(name) => {
                let message = format!("no anchor is named {}", quoted(&name));
                let fault = Fault::new("", message);
                let fault = match name.ends_with(':') {
                    true => fault.help("put a space in front of the `:`"),
                    false => fault,
                };
                self.fault(spot, span.len(), fault);
                self.broken(spot);
            }
            _ => {}
        }
    }

    /// Inside `[]` or `{}` tabs are only space.
    fn in_flow(&self) -> bool {
        self.stack.last().is_some_and(|frame| frame.flow)
    }

    fn open(&mut self, spot: Spot, anchor: usize, style: StructureStyle, content: Content) {
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        let flow = style == StructureStyle::Flow;
        self.stack.push(Frame {
            spot,
            anchor,
            flow,
            content,
        });
    }

    fn define(&mut self, anchor: usize, node: &Rc<Node>) {
        if anchor != 0 {
            self.anchors.insert(anchor, Some(Rc::clone(node)));
        }
    }

    fn broken(&mut self, spot: Spot) {
        let node = Rc::new(Node {
            value: Value::Broken,
            nodes: 1,
            bytes: 0,
            depth: 1,
        });
        self.add(
            Item {
                spot,
                length: 1,
                node,
            },
            false,
        );
    }

    fn alias(&mut self, anchor: usize, spot: Spot, length: usize) {
        match self.anchors.get(&anchor) {
            Some(Some(node)) => {
                let node = Rc::clone(node);
                self.add(Item { spot, length, node }, false);
            }
            _ => {
                let message = "the alias stands inside the value that it names";
                self.fault(spot, length, Fault::new("", message));
                self.broken(spot);
            }
        }
    }

    /// Puts a finished value where it belongs.
    fn add(&mut self, item: Item, merge: bool) {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            self.too_big(
                item.spot,
                format!("the document has more than {MAX_NODES} values"),
            );
            return;
        }
        match self.stack.last_mut().map(|frame| &mut frame.content) {
            None => self.out.root = Some(item),
            Some(Content::List(items)) => items.push(item),
            Some(Content::Map {
                pairs,
                merges,
                keys,
                key,
            }) => match key.take() {
                Some(Key::Text(key, spot)) => pairs.push(Pair { key, spot, item }),
                Some(Key::Merge) => merges.push(item),
                Some(Key::Broken) => {}
                None => match Key::read(&item, merge, keys) {
                    Ok(read) => *key = Some(read),
                    Err(fault) => {
                        *key = Some(Key::Broken);
                        self.fault(item.spot, item.length, *fault);
                    }
                },
            },
        }
    }

    /// `last`: the line with the end.
    fn close(&mut self, last: usize) {
        let Some(Frame {
            spot,
            anchor,
            content,
            flow,
        }) = self.stack.pop()
        else {
            return;
        };
        if flow {
            self.strict.cover(spot.line, last);
        }
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map {
                mut pairs,
                mut keys,
                merges,
                ..
            } => {
                for merge in merges {
                    let fits = super::frame::merge(&merge, &mut pairs, &mut keys, &mut self.nodes);
                    // Every copy counts at once: merges multiply before anything closes above.
                    if self.nodes > MAX_NODES {
                        let message = format!(
                            "with its merge keys expanded the document has more than {MAX_NODES} values"
                        );
                        self.too_big(merge.spot, message);
                        return;
                    }
                    if !fits {
                        let message = "`<<` takes a mapping or a list of mappings";
                        self.fault(merge.spot, merge.length, Fault::new("", message));
                    }
                }
                Value::Map(pairs)
            }
        };
        let node = Node::around(value);
        if node.nodes > MAX_NODES || node.bytes > MAX_BYTES {
            let message = format!(
                "with its aliases expanded the document has more than {MAX_NODES} values or {MAX_BYTES} bytes of text"
            );
            self.too_big(spot, message);
            return;
        }
        if node.depth > MAX_DEPTH {
            self.too_big(
                spot,
                format!("values are nested more than {MAX_DEPTH} deep"),
            );
            return;
        }
        let node = Rc::new(node);
        self.define(anchor, &node);
        self.add(
            Item {
                spot,
                length: 1,
                node,
            },
            false,
        );
    }

    fn finish(mut self) -> Composed {
        // Only what could be read well: a syntax fault explains more.
        if self.out.faults.is_empty() && self.out.root.is_some() {
            let found = strict::directive(self.source)
                .or_else(|| self.strict.tab(self.source, self.last_line));
            if let Some((spot, fault)) = found {
                self.fault(spot, 1, fault);
            }
        }
        if self.out.root.is_none() && self.out.faults.is_empty() {
            if self.document {
                // `---` and nothing else.
                let node = Rc::new(Node::around(Value::Null));
                self.out.root = Some(Item {
                    spot: Spot::START,
                    length: 1,
                    node,
                });
            } else {
                let fault = Fault::new("", "the document is empty");
                self.fault(
                    Spot::START,
                    1,
                    fault.help("for a spec without anything write `---`"),
                );
            }
        }
        self.out
    }
}

/// `---` or `...`, at which a document ends.
fn source_line_is_marker(line: &str) -> bool {
    line.starts_with("---") || line.starts_with("...")
}
