//! XML as WebDAV's bodies carry it: read whole into a small tree, within bounds, and written.
//!
//! A document type is refused before anything in it is looked at, so there are no entities but the five of XML itself:
//! nothing expands, and nothing outside is fetched.

use std::fmt::Write as _;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use crate::error::{Error, Result};

/// The namespace of WebDAV.
pub const DAV: &str = "DAV:";
/// The namespace that the prefix `xml` always has.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Deepest nesting that is read.
const DEEPEST: usize = 64;
/// Most elements that are read.
const MOST: usize = 5_000;
/// Longest name or namespace, in bytes.
const LONGEST_NAME: usize = 1_000;

/// A name in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The namespace; empty for none.
    pub namespace: String,
    /// The name in it.
    pub local: String,
}

impl Name {
    /// Whether it is that name in that namespace.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.namespace == namespace && self.local == local
    }
}

/// An element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: Name,
    attributes: Vec<(Name, String)>,
    children: Vec<Child>,
}

/// What is in an element.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Child {
    Element(Element),
    Text(String),
}

impl Element {
    /// Reads a document.
    ///
    /// # Errors
    /// 400 for what is no XML, has a document type, or is larger than anything WebDAV needs.
    pub fn parse(text: &str) -> Result<Self> {
        let bad =
            |error: quick_xml::Error| Error::malformed("the body is not well-formed XML").because(error);
        let mut reader = NsReader::from_str(text);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        let mut count = 0;
        loop {
            let event = reader.read_event().map_err(bad)?;
            match event {
                Event::Start(start) => {
                    count += 1;
                    if open.len() >= DEEPEST || count > MOST || root.is_some() {
                        return Err(Error::malformed("the body is larger or deeper than WebDAV needs"));
                    }
                    open.push(Self::start(&reader, &start)?);
                }
                Event::Empty(start) => {
                    count += 1;
                    if count > MOST || root.is_some() {
                        return Err(Error::malformed("the body is larger than WebDAV needs"));
                    }
                    let element = Self::start(&reader, &start)?;
                    close(&mut open, &mut root, element);
                }
                Event::End(_) => {
                    if let Some(element) = open.pop() {
                        close(&mut open, &mut root, element);
                    }
                }
                Event::Text(text) => add_text(&mut open, &text.xml10_content())?,
                Event::CData(text) => add_text(&mut open, &text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let known = match reference.resolve_char_ref().map_err(bad)? {
                        Some(c) => Some(c),
                        None => entity(&reference.xml10_content()),
                    };
                    let c = known.filter(|c| is_char(*c)).ok_or_else(|| {
                        Error::malformed("the body refers to something that is not defined")
                    })?;
                    add_text(&mut open, c.encode_utf8(&mut [0; 4]))?;
                }
                Event::DocType(_) => {
                    return Err(Error::malformed("a document type is not read"));
                }
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Eof => {
                    return root
                        .filter(|_| open.is_empty())
                        .ok_or_else(|| Error::malformed("the body is not a whole XML document"));
                }
            }
        }
    }

    fn start(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Self> {
        let resolver = reader.resolver();
        let (namespace, local) = resolver.resolve_element(start.name());
        let name = named(&namespace, local.into_inner())?;
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute
                .map_err(|error| Error::malformed("an attribute is not well-formed").because(error))?;
            let key = attribute.key.into_inner();
            if key == "xmlns" {
                continue;
            }
            if let Some(prefix) = key.strip_prefix("xmlns:") {
                // Namespaces 1.0: a prefix cannot be bound to nothing.
                if attribute.value.is_empty() || prefix.is_empty() {
                    return Err(Error::malformed("a namespace prefix is bound to nothing"));
                }
                continue;
            }
            let (namespace, local) = resolver.resolve_attribute(attribute.key);
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| Error::malformed("an attribute is not well-formed").because(error))?;
            attributes.push((named(&namespace, local.into_inner())?, value.into_owned()));
        }
        Ok(Self { name, attributes, children: Vec::new() })
    }

    /// The elements in it, in order.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Child::Element(element) => Some(element),
            Child::Text(_) => None,
        })
    }

    /// The first element in it of a name in WebDAV's namespace.
    pub fn dav(&self, local: &str) -> Option<&Self> {
        self.elements().find(|element| element.name.is(DAV, local))
    }

    /// The text directly in it.
    pub fn text(&self) -> String {
        self.children
            .iter()
            .filter_map(|child| match child {
                Child::Text(text) => Some(text.as_str()),
                Child::Element(_) => None,
            })
            .collect()
    }

    /// The language it is in (`xml:lang`), if it says so itself.
    pub fn language(&self) -> Option<&str> {
        let lang = self.attributes.iter().find(|(name, _)| name.is(XML, "lang"));
        lang.map(|(_, value)| value.as_str())
    }

    /// Says which language it is in, unless it does already: RFC 4918, section 4.3, keeps what stands above.
    pub fn inherit_language(&mut self, language: Option<&str>) {
        if let (None, Some(language)) = (self.language(), language) {
            let name = Name { namespace: XML.to_owned(), local: "lang".to_owned() };
            self.attributes.push((name, language.to_owned()));
        }
    }

    /// The element as XML that needs nothing around it.
    pub fn to_xml(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, None);
        out
    }

    /// What is in the element as XML that needs nothing around it.
    pub fn inner_xml(&self) -> String {
        let mut out = String::new();
        for child in &self.children {
            match child {
                Child::Element(element) => element.write(&mut out, None),
                Child::Text(text) => escape(&mut out, text),
            }
        }
        out
    }

    /// `default`: the namespace that an unprefixed name has here; `None`: not known.
    fn write(&self, out: &mut String, default: Option<&str>) {
        out.push('<');
        out.push_str(&self.name.local);
        if default != Some(self.name.namespace.as_str()) {
            out.push_str(" xmlns=\"");
            escape(out, &self.name.namespace);
            out.push('"');
        }
        for (index, (name, value)) in self.attributes.iter().enumerate() {
            match name.namespace.as_str() {
                "" => {
                    let _ = write!(out, " {}=\"", name.local);
                }
                XML => {
                    let _ = write!(out, " xml:{}=\"", name.local);
                }
                other => {
                    let _ = write!(out, " xmlns:a{index}=\"");
                    escape(out, other);
                    let _ = write!(out, "\" a{index}:{}=\"", name.local);
                }
            }
            escape(out, value);
            out.push('"');
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for child in &self.children {
            match child {
                Child::Element(element) => element.write(out, Some(&self.name.namespace)),
                Child::Text(text) => escape(out, text),
            }
        }
        out.push_str("</");
        out.push_str(&self.name.local);
        out.push('>');
    }
}

fn close(open: &mut [Element], root: &mut Option<Element>, element: Element) {
    match open.last_mut() {
        Some(parent) => parent.children.push(Child::Element(element)),
        None => *root = Some(element),
    }
}

fn add_text(open: &mut [Element], text: &str) -> Result<()> {
    let Some(parent) = open.last_mut() else {
        // Before and after the document only white space may stand.
        return if text.trim().is_empty() {
            Ok(())
        } else {
            Err(Error::malformed("the body is not a whole XML document"))
        };
    };
    if !text.chars().all(is_char) {
        return Err(Error::malformed("the body has characters that XML does not"));
    }
    match parent.children.last_mut() {
        Some(Child::Text(before)) => before.push_str(text),
        _ => parent.children.push(Child::Text(text.to_owned())),
    }
    Ok(())
}

fn named(namespace: &ResolveResult<'_>, local: &str) -> Result<Name> {
    let namespace = match namespace {
        ResolveResult::Bound(namespace) => namespace.into_inner(),
        ResolveResult::Unbound => "",
        ResolveResult::Unknown(_) => return Err(Error::malformed("a namespace prefix is not bound")),
    };
    if local.is_empty() || local.contains(':') || local.len() > LONGEST_NAME || namespace.len() > LONGEST_NAME
    {
        return Err(Error::malformed("a name is not one, or too long"));
    }
    Ok(Name { namespace: namespace.to_owned(), local: local.to_owned() })
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => None,
    }
}

/// XML 1.0, production 2.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Adds text so that it is read back as it was, in content as in attributes. What XML cannot hold at all (a file's name
/// may) becomes the replacement character.
pub fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| matches!(c, '<' | '>' | '&' | '"' | '\r') || !is_char(c)) {
        out.push_str(&rest[..at]);
        let Some(c) = rest[at..].chars().next() else { break };
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            _ => out.push('\u{fffd}'),
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    #[test]
    fn namespaces_are_resolved_and_written_so_that_nothing_is_needed_around() {
        let text = "<a:x xmlns:a=\"urn:a\" xmlns='urn:d' a:at='1&amp;2' plain='3'><y>t&lt;&#x1F600;</y><z xmlns=''/></a:x>";
        let read = Element::parse(text).unwrap();
        assert_eq!(read.name, Name { namespace: "urn:a".to_owned(), local: "x".to_owned() });
        let again = Element::parse(&read.to_xml()).unwrap();
        assert_eq!(again, read);
        assert_eq!(read.elements().map(|e| e.name.namespace.as_str()).collect::<Vec<_>>(), ["urn:d", ""]);
        assert_eq!(read.elements().next().unwrap().text(), "t<\u{1f600}");
    }

    #[test]
    fn the_language_above_is_kept() {
        let mut read = Element::parse("<x xml:lang='de'><y/></x>").unwrap();
        assert_eq!(read.language(), Some("de"));
        read.inherit_language(Some("fr"));
        assert_eq!(read.language(), Some("de"));
        let mut inner = read.elements().next().unwrap().clone();
        inner.inherit_language(Some("de"));
        assert_eq!(inner.to_xml(), "<y xmlns=\"\" xml:lang=\"de\"/>");
    }

    #[test]
    fn what_is_no_xml_or_would_grow_is_refused() {
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        let many = format!("<a>{}</a>", "<b/>".repeat(10_000));
        for bad in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<p:a/>",
            "<a xmlns:p=''/>",
            "<a>&unknown;</a>",
            "<a>&#0;</a>",
            "<a>\u{1}</a>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
            &deep,
            &many,
        ] {
            assert!(Element::parse(bad).is_err(), "{}", &bad[..bad.len().min(60)]);
        }
    }

    #[test]
    fn text_comes_back_as_it_was() {
        let mut out = String::from("<a b=\"");
        escape(&mut out, "<&>\"'\r\u{e4}");
        out.push_str("\">");
        escape(&mut out, "]]> & \r\n");
        out.push_str("</a>");
        let read = Element::parse(&out).unwrap();
        assert_eq!(read.text(), "]]> & \r\n");
        let mut out = String::new();
        escape(&mut out, "a\u{1}b");
        assert_eq!(out, "a\u{fffd}b");
    }
}
